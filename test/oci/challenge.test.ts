import test from 'ava'
import { parseRegistries } from '../../common/config/registries.ts'
import { startSeeder } from '../seeder/seeders.ts'
import { refuse, startFakeRegistry } from './fake-registry.ts'
import { ask } from './mirrors.ts'

const BEARER = 'Bearer realm="https://auth.example/token",service="registry.example"'

async function registryThatAsks(t: Parameters<typeof startFakeRegistry>[0]) {
  const registry = await startFakeRegistry(t)
  registry.answer = (_request, response) => refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': BEARER })
  return registry
}

test('/v2/ asks for credentials as it is told to: not at all, as the registry does, for a name and a password', async (t) => {
  const registry = await registryThatAsks(t)
  const login = { username: 'me', password: 'x' }
  const challengeFor = async (entry: object): Promise<unknown> => {
    const { base } = await startSeeder(t, registry.url, { registries: { [registry.place]: entry } })
    const { status, headers } = await ask(base, '/v2/')
    t.is((await ask(base, '/v2/', { headers: { authorization: 'Basic eDp5' } })).status, 200, 'whoever has sent something goes on')
    return status === 401 ? headers['www-authenticate'] : status
  }
  t.is(await challengeFor({}), 200)
  t.is(await challengeFor({ challenge: 'upstream' }), BEARER)
  t.is(await challengeFor({ challenge: 'basic' }), 'Basic realm="pantala"')
  t.is(await challengeFor({ challenge: 'upstream', ...login }), 'Basic realm="pantala"', 'the secret is for us, not for a token service')
  t.is(await challengeFor({ challenge: 'upstream', ...login, forEveryone: true }), BEARER)
})

test('a registry is asked for its challenge once; one that is away asks for nothing', async (t) => {
  const registry = await registryThatAsks(t)
  const { base } = await startSeeder(t, registry.url, { registries: { [registry.place]: { challenge: 'upstream' } } })
  for (let i = 0; i < 3; i++) t.is((await ask(base, '/v2/')).status, 401)
  t.is(registry.seen.length, 1)
  const gone = await startSeeder(t, 'http://127.0.0.1:1', { registries: { '127.0.0.1:1': { challenge: 'upstream' } } })
  t.is((await ask(gone.base, '/v2/')).status, 200)
})

test('what challenge may say', (t) => {
  const problems: string[] = []
  const parsed = parseRegistries(
    { 'a.example': { challenge: true }, 'b.example': { challenge: 'basic' }, 'c.example': { challenge: 'digest' }, 'd.example': { challenge: false } },
    problems,
  )
  t.deepEqual([parsed['a.example']?.challenge, parsed['b.example']?.challenge, parsed['d.example']?.challenge], ['upstream', 'basic', 'none'])
  t.deepEqual(problems, ['registries.c.example.challenge: expected true, false or basic'])
})
