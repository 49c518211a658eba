import { createPrivateKey, randomUUID, sign, X509Certificate } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
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

/** An account of the token service that may pull nothing. */
export const OTHER_USER = 'stranger'
export const OTHER_PASSWORD = 'other word:2'

/** The `auth` of a registry that wants tokens. */
export async function tokenAuth(t: ExecutionContext): Promise<string> {
  return (await tokenService(t)).auth
}

/** A registry's service that gives tokens (distribution's token specification), the `auth` of that registry, and the tokens so far. */
export async function tokenService(t: ExecutionContext): Promise<{ auth: string; port: number; tokens: string[] }> {
  const tokens: string[] = []
  const dir = await temporaryFolder(t)
  const [certFile, keyFile] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  await succeed(t, 'openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', keyFile, '-out', certFile, '-days', '2', '-subj', '/CN=issuer'])
  const key = createPrivateKey(await readFile(keyFile))
  const chain = [new X509Certificate(await readFile(certFile)).raw.toString('base64')]

  const tokenFor = (scope: string, user: string): string => {
    const [type = '', name = '', actions = ''] = scope.split(':')
    const now = Math.floor(Date.now() / 1000)
    const access = scope === '' || user !== USER ? [] : [{ type, name, actions: actions.split(',') }]
    const claims = { iss: ISSUER, sub: user, aud: SERVICE, nbf: now - 5, iat: now - 5, exp: now + TOKEN_SECONDS, jti: randomUUID(), access }
    const text = [{ typ: 'JWT', alg: 'RS256', x5c: chain }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    const token = `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`
    tokens.push(token)
    return token
  }
  const accounts = new Map([
    [basicOf(USER, PASSWORD), USER],
    [basicOf(OTHER_USER, OTHER_PASSWORD), OTHER_USER],
  ])
  const answer = (response: ServerResponse, authorization: string, scope: string): void => {
    const user = accounts.get(authorization)
    if (user === undefined) response.writeHead(401).end()
    else {
      const token = tokenFor(scope, user)
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ token, access_token: token, expires_in: TOKEN_SECONDS }))
    }
  }
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://realm')
    if (request.method !== 'POST') {
      answer(response, request.headers.authorization ?? '', searchParams.get('scope') ?? '')
      return
    }
    // containerd asks by form (OAuth 2)
    let form = ''
    request.setEncoding('utf8').on('data', (text: string) => {
      form += text
    })
    request.on('end', () => {
      const fields = new URLSearchParams(form)
      answer(response, basicOf(fields.get('username') ?? '', fields.get('password') ?? ''), fields.get('scope') ?? '')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const auth = `{token: {realm: 'http://127.0.0.1:${port}/token', service: ${SERVICE}, issuer: ${ISSUER}, rootcertbundle: ${certFile}}}`
  return { auth, port, tokens }
}

/** What a client with this account sends. */
export function basicOf(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}
