import test from 'ava'
import { createAuthority } from '../helpers/certificates.ts'
import { requirePrograms } from '../helpers/debian.ts'
import { startSeeder } from '../seeder/seeders.ts'
import { startFakeRegistry } from './fake-registry.ts'
import { ask } from './mirrors.ts'

test("an authority of one's own and a client certificate open a registry; without them nothing is trusted", async (t) => {
  if (!requirePrograms(t, 'openssl')) return
  const authority = await createAuthority(t)
  const server = await authority.issue('server', ['127.0.0.1'])
  const client = await authority.issue('client', ['client.example'])
  const registry = await startFakeRegistry(t, { tls: { cert: server.cert, key: server.key, ca: authority.cert, requestCert: true, rejectUnauthorized: true } })
  registry.addManifest('team/app', 'v1', { schemaVersion: 2 })
  const status = async (tls: { ca?: string; cert?: string; key?: string } | undefined): Promise<number> => {
    const { base } = await startSeeder(t, registry.url, tls ? { registries: { [registry.place]: { tls, endpoint: registry.url } } } : {})
    return (await ask(base, '/v2/team/app/manifests/v1')).status
  }
  t.is(await status({ ca: authority.cert, cert: client.cert, key: client.key }), 200)
  t.is(await status({ ca: authority.cert }), 502, 'without a client certificate')
  t.is(await status({ cert: client.cert, key: client.key }), 502, 'without the authority')
  t.is(await status(undefined), 502)
})
