import type { MetaStore } from '../common/store/meta.ts'
import { createSigningKey, importSigningKey, type SigningKey } from '../swarm/record.ts'

/** The key that this seeder signs records with; made at the first start, readable by its owner only. */
export async function loadSigningKey(meta: MetaStore): Promise<SigningKey> {
  const saved = await meta.get('keys', 'records')
  if (saved) return importSigningKey(saved)
  const key = createSigningKey()
  await meta.put('keys', 'records', key.export())
  return key
}
