import { createHash, randomBytes } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import { silentLogger } from '../../../common/log.ts'
import { digestOf, type Digest } from '../../../common/oci/digest.ts'
import { openStore, type Store } from '../../../common/store/store.ts'
import { temporaryFolder } from '../../helpers/folder.ts'

export { temporaryFolder }

export async function temporaryStore(t: ExecutionContext, dir?: string): Promise<Store> {
  const store = await openStore({ dir: dir ?? (await temporaryFolder(t)), log: silentLogger })
  t.teardown(() => store.close())
  return store
}

export function randomBlob(length: number): { bytes: Buffer; digest: Digest } {
  const bytes = randomBytes(length)
  return { bytes, digest: digestOf(bytes) }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}
