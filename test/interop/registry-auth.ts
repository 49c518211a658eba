import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import bcrypt from 'bcryptjs'
import { temporaryFolder } from '../helpers/folder.ts'
import { succeed } from '../helpers/process.ts'

/** Ways in which `docker-registry` asks who somebody is. */

export const USER = 'robot'
export const PASSWORD = 'pass word:1'
const SERVICE = 'registry.test'
const ISSUER = 'issuer.test'
const TOKEN_SECONDS = 60

/** The `auth` of a registry that wants Basic authentication. */
export async function htpasswdAuth(t: ExecutionContext): Promise<string> {
  const path = join(await temporaryFolder(t), 'htpasswd')
  await writeFile(path, `${USER}:${await bcrypt.hash(PASSWORD, 4)}\n`)
  return `{htpasswd: {realm: test, path: ${path}}}`
}

/** The `auth` of a registry that wants tokens, and the service that gives them (distribution's token specification). */
export async function tokenAuth(t: ExecutionContext): Promise<string> {
  const dir = await temporaryFolder(t)
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  await succeed(t, 'openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', keyFile, '-out', certFile, '-days', '2', '-subj', '/CN=issuer'])
  const key = createPrivateKey(await readFile(keyFile))
  const chain = [new X509Certificate(await readFile(certFile)).raw.toString('base64')]

  const tokenFor = (scope: string): string => {
    const [type = '', name = '', actions = ''] = scope.split(':')
    const now = Math.floor(Date.now() / 1000)
    const access = scope === '' ? [] : [{ type, name, actions: actions.split(',') }]
    const claims = { iss: ISSUER, sub: USER, aud: SERVICE, nbf: now - 5, iat: now - 5, exp: now + TOKEN_SECONDS, jti: randomUUID(), access }
    const text = [{ typ: 'JWT', alg: 'RS256', x5c: chain }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`
  }
  const wanted = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
  const server = createServer((request, response) => {
    const scope = new URL(request.url ?? '', 'http://realm').searchParams.get('scope') ?? ''
    if (request.headers.authorization !== wanted) response.writeHead(401).end()
    else response.setHeader('content-type', 'application/json').end(JSON.stringify({ token: tokenFor(scope), expires_in: TOKEN_SECONDS }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const realm = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  return `{token: {realm: '${realm}', service: ${SERVICE}, issuer: ${ISSUER}, rootcertbundle: ${certFile}}}`
}
