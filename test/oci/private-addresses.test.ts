import test from 'ava'
import { isPrivateAddress } from '../../common/http/private-addresses.ts'
import { startSeeder } from '../seeder/seeders.ts'
import { OCI_MANIFEST, startFakeRegistry } from './fake-registry.ts'
import { ask, startTestAgent } from './mirrors.ts'

test('which addresses are private', (t) => {
  const inside = [
    '127.0.0.1',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '255.255.255.255',
    '::1',
    '[::1]',
    '::',
    'fd00::1',
    'fe80::1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    'ff02::1',
  ]
  const outside = ['1.1.1.1', '172.32.0.1', '192.167.1.1', '2606:4700::1111', '[2001:db8::1]', 'example.com', '']
  for (const address of inside) t.true(isPrivateAddress(address), address)
  for (const address of outside) t.false(isPrivateAddress(address), address)
})

test('a request cannot name a registry inside; the configuration can', async (t) => {
  const inside = await startFakeRegistry(t)
  inside.addManifest('team/app', 'v1', { schemaVersion: 2 })
  const nobody = 'https://registry.invalid'
  const port = inside.place.split(':')[1]
  for (const start of [
    async (registries = {}) => (await startSeeder(t, nobody, { registries })).base,
    async (registries = {}) => (await startTestAgent(t, nobody, { registries })).base,
  ]) {
    const base = await start()
    for (const name of [inside.place, `localhost:${port}`, `[::1]:${port}`, `0.0.0.0:${port}`, '169.254.169.254', '10.0.0.1:5000']) {
      for (const path of [`/v2/team/app/manifests/v1?ns=${encodeURIComponent(name)}`, `/v2/team/app/tags/list?ns=${encodeURIComponent(name)}`]) {
        const { status, code } = await ask(base, path, { headers: { accept: OCI_MANIFEST } })
        t.deepEqual([status, code], [403, 'DENIED'], path)
      }
    }
    t.is((await ask(base, `/v2/127.0.0.1_${port}/team/app/manifests/v1`, { headers: { accept: OCI_MANIFEST } })).status, 403)
    t.is(inside.seen.length, 0)
    const named = await start({ [inside.place]: {} })
    t.is((await ask(named, `/v2/team/app/manifests/v1?ns=${inside.place}`, { headers: { accept: OCI_MANIFEST } })).status, 200)
    const matched = await start({ [`127.0.0.*:${port}`]: { private: true } })
    t.is((await ask(matched, `/v2/team/app/manifests/v1?ns=${inside.place}`, { headers: { accept: OCI_MANIFEST } })).status, 200)
    inside.seen.length = 0
  }
})
