import type { IncomingHttpHeaders } from 'node:http'
import { looksSecret, SECRET_HEADER, SECRET_USER, type LocalSecret } from '../local-secret.ts'
import { errorFields, type Logger } from '../log.ts'
import type { CredentialStore } from './registry-credentials.ts'
import type { BasicCredential, Registry } from './registry.ts'

/** Credentials that stand in this node's configuration. */
export interface NodeCredentials {
  /** The credential for a registry; undefined where there is none, or it cannot be had: what is public can be had all the same. */
  of(registry: Registry): Promise<BasicCredential | undefined>
  /**
   * The `Authorization` that a request speaks with upstream: its own; the node's, where it proves by the secret that it may use it;
   * undefined for nobody's.
   */
  authorization(headers: IncomingHttpHeaders, registry: Registry): Promise<string | undefined>
}

export interface NodeCredentialsOptions {
  secret: LocalSecret
  store: CredentialStore
  log: Logger
}

export function createNodeCredentials({ secret, store, log }: NodeCredentialsOptions): NodeCredentials {
  const of = async ({ name, credential, dockerConfig }: Registry): Promise<BasicCredential | undefined> => {
    if (credential !== undefined || dockerConfig === undefined) return credential
    try {
      return await store.get(dockerConfig, name)
    } catch (error) {
      log.warn({ registry: name, error: errorFields(error) }, 'the credential of a registry cannot be had; asking without')
      return undefined
    }
  }
  return {
    of,
    async authorization({ authorization, [SECRET_HEADER]: given }, registry) {
      const inBasic = secretIn(authorization)
      const knows = secret.matches(typeof given === 'string' ? given : undefined) || secret.matches(inBasic)
      if (!knows) return inBasic !== undefined && looksSecret(inBasic) ? undefined : authorization
      const credential = await of(registry)
      return credential && basicHeader(credential)
    },
  }
}

export function basicHeader({ username, password }: BasicCredential): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Podman and CRI-O can send nothing but Basic credentials for the mirror. */
function secretIn(authorization: string | undefined): string | undefined {
  const text = Buffer.from(/^basic ([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '')?.[1] ?? '', 'base64').toString('latin1')
  return text.startsWith(`${SECRET_USER}:`) ? text.slice(SECRET_USER.length + 1) : undefined
}
