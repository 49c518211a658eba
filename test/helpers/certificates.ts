import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from './folder.ts'
import { succeed } from './process.ts'

/** PEM texts, and the files that hold them. */
export interface Certificate {
  cert: string
  key: string
  certFile: string
  keyFile: string
}

/** An authority of the test's own. */
export interface Authority extends Certificate {
  /** A certificate for these names and addresses. */
  issue(name: string, alternatives: readonly string[]): Promise<Certificate>
}

export async function createAuthority(t: ExecutionContext): Promise<Authority> {
  const dir = await temporaryFolder(t)
  const openssl = (...args: string[]): Promise<string> => succeed(t, 'openssl', args)
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const files = (name: string): { certFile: string; keyFile: string } => ({ certFile: join(dir, `${name}.pem`), keyFile: join(dir, `${name}.key`) })
  const load = async (name: string): Promise<Certificate> => {
    const { certFile, keyFile } = files(name)
    return { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8'), certFile, keyFile }
  }
  const root = files('ca')
  await openssl('req', '-x509', ...newKey, '-keyout', root.keyFile, '-out', root.certFile, '-days', '2', '-subj', '/CN=Pantala test authority')
  return {
    ...(await load('ca')),
    async issue(name, alternatives) {
      const { certFile, keyFile } = files(name)
      const request = join(dir, `${name}.csr`)
      const extensions = join(dir, `${name}.ext`)
      await writeFile(extensions, `subjectAltName=${alternatives.map((each) => (/^[\d.]+$/.test(each) ? `IP:${each}` : `DNS:${each}`)).join(',')}\n`)
      await openssl('req', '-new', ...newKey, '-keyout', keyFile, '-out', request, '-subj', `/CN=${name}`)
      await openssl('x509', '-req', '-in', request, '-CA', root.certFile, '-CAkey', root.keyFile, '-CAcreateserial', '-days', '2', '-extfile', extensions, '-out', certFile)
      return load(name)
    },
  }
}
