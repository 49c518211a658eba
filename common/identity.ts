import { randomBytes } from 'node:crypto'
import type { MetaStore } from './store/meta.ts'

const NODE_ID = /^[0-9a-f]{16}$/

/** The node's lasting name within its cluster, 16 hex digits; made at the first start. */
export async function loadNodeId(meta: MetaStore): Promise<string> {
  const saved = await meta.get('node', 'id')
  const text = saved && Buffer.from(saved).toString('latin1')
  if (text !== undefined && NODE_ID.test(text)) return text
  const id = randomBytes(8).toString('hex')
  await meta.put('node', 'id', Buffer.from(id))
  return id
}
