import { createHmac, randomBytes } from 'node:crypto'
import type { MetaStore } from '../store/meta.ts'
import { ANYBODY } from './grant-table.ts'

const KEY_BYTES = 32
const ID_CHARS = 32

/** A credential's name in keys and files: it tells nothing about the credential, and means nothing on another node. */
export interface CredentialIds {
  /** @param authorization - an `Authorization` header; undefined: nobody in particular */
  of(authorization: string | undefined): string
  /** Whether the credential will come again: tokens live for minutes. */
  lasting(id: string): boolean
}

/** The key is made at the first start: without it whoever reads the folder could try passwords against the names in it. */
export async function loadCredentialIds(meta: MetaStore): Promise<CredentialIds> {
  const saved = await meta.get('keys', 'credential-ids')
  if (saved?.length === KEY_BYTES) return credentialIds(saved)
  const key = randomBytes(KEY_BYTES)
  await meta.put('keys', 'credential-ids', key)
  return credentialIds(key)
}

export function credentialIds(key: Uint8Array): CredentialIds {
  return {
    of(authorization) {
      if (authorization === undefined) return ANYBODY
      const kind = /^basic /i.test(authorization) ? 'user' : 'token'
      return `${kind}-${createHmac('sha256', key).update(authorization).digest('hex').slice(0, ID_CHARS)}`
    },
    lasting: (id) => !id.startsWith('token-'),
  }
}
