import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { KIND_HINTS, PARSERS } from '../../../common/config/kinds.ts'
import { loadConfig, type ConfigSources } from '../../../common/config/load.ts'
import { OPTION_KEYS, OPTIONS, variableOf, type Option, type OptionKey } from '../../../common/config/options.ts'
import { temporaryFolder } from '../../helpers/folder.ts'
import { ROOT } from '../../helpers/pantala.ts'

interface Sources {
  flags?: Partial<Record<OptionKey, string>>
  variables?: Record<string, string>
  file?: string
  dfget?: string
}

async function load(t: ExecutionContext, { flags = {}, variables = {}, file, dfget }: Sources) {
  const dir = await temporaryFolder(t)
  if (file !== undefined) await writeFile(join(dir, 'pantala.yaml'), file)
  if (dfget !== undefined) await writeFile(join(dir, 'dfget.yml'), dfget)
  const written = Object.entries(flags).map(([key, text]): [OptionKey, { text: string; flag: string }] => [key as OptionKey, { text, flag: `--${key}` }])
  const sources: ConfigSources = { flags: new Map(written), variables, defaultPath: join(dir, 'pantala.yaml'), dfgetPath: join(dir, 'dfget.yml') }
  return loadConfig(sources)
}

test('a flag beats a variable beats the file beats dfget.yml beats the default', async (t) => {
  const all: Required<Sources> = {
    flags: { 'agent.nodes': 'flag' },
    variables: { PANTALA_AGENT_NODES: 'variable:1,v2' },
    file: 'agent: {nodes: file}',
    dfget: 'nodes: [old, "other:8002=3"]',
  }
  const nodes = async (sources: Sources) => (await load(t, sources)).settings['agent.nodes'].map(({ host, port }) => `${host}:${port}`)
  t.deepEqual(await nodes(all), ['flag:8001'])
  t.deepEqual(await nodes({ ...all, flags: {} }), ['variable:1', 'v2:8001'])
  t.deepEqual(await nodes({ ...all, flags: {}, variables: {} }), ['file:8001'])
  t.deepEqual(await nodes({ dfget: all.dfget }), ['old:8001', 'other:8001'])
  t.deepEqual(await nodes({}), ['127.0.0.1:8001'])
})

test('unset is not zero', async (t) => {
  t.is((await load(t, {})).settings['limits.upload'], undefined)
  t.is((await load(t, { variables: { PANTALA_LIMITS_UPLOAD: '' } })).settings['limits.upload'], undefined)
  t.is((await load(t, { file: 'limits: {upload: 0}' })).settings['limits.upload'], 0)
})

test("where Dragonfly's file is of no use it is not read", async (t) => {
  const none = join(await temporaryFolder(t), 'none.yaml')
  const { settings, given } = await loadConfig({ flags: new Map(), variables: { PANTALA_LOG_LEVEL: 'warn' }, defaultPath: none })
  t.deepEqual(settings['agent.nodes'], [{ host: '127.0.0.1', port: 8001 }])
  t.deepEqual([...given], ['log.level'])
})

test("other keys of Dragonfly's file only warn", async (t) => {
  const { warnings } = await load(t, { dfget: 'nodes: [a]\nlocalLimit: 20M' })
  t.deepEqual(warnings, ['dfget.yml: localLimit has no meaning for Pantala and is ignored'])
})

for (const [name, sources, message] of [
  ['a section', { file: 'agnt: {}' }, 'agnt: unknown section, did you mean agent?'],
  ['a key', { file: 'agent: {listne: x}' }, 'agent.listne: unknown key, did you mean listen?'],
  ['a variable', { variables: { PANTALA_AGENT_NODE: 'x' } }, 'PANTALA_AGENT_NODE: unknown variable, did you mean PANTALA_AGENT_NODES?'],
  ['a value of the wrong type', { file: 'agent: {listen: {a: 1}}' }, 'agent.listen: expected text, a number, yes or no, got object'],
  ['a list where none belongs', { file: 'agent: {listen: [a]}' }, 'agent.listen: expected text, a number, yes or no, got a list'],
  ['a file that is no map', { file: '- a' }, 'the configuration file: expected a map of sections'],
  ['a registry without a user', { file: 'registries: {quay.io: {password: x}}' }, 'registries.quay.io: a password needs a username'],
  ['a secret file that is missing', { file: 'registries: {quay.io: {username: a, passwordFile: /no/such/file}}' }, 'registries.quay.io.passwordFile: the file cannot be read'],
  ['a value that is too small', { file: 'agent: {stallTimeout: 0s}' }, 'agent.stallTimeout: expected at least 100ms, got "0s"'],
  ['a tracker without a port to reach it', { file: 'agent: {nodes: ["a:0"]}' }, 'agent.nodes: expected the port of a tracker, got "a:0"'],
  ['credentials in a URL', { flags: { 'agent.registry': 'https://me:secret@quay.io' } }, '--agent.registry: expected a URL without credentials: put them under registries:'],
] as const) {
  test(`refused: ${name}`, async (t) => {
    const error = await t.throwsAsync(load(t, sources as Sources), { code: 'CONFIG_INVALID' })
    t.is(error?.message, message)
  })
}

test('values are read in the ways that people write them', (t) => {
  t.is(PARSERS.size('4MiB'), 4194304)
  t.is(PARSERS.size('1.5 GB'), 1_500_000_000)
  t.is(PARSERS.size('10'), 10)
  t.is(PARSERS.duration('30s'), 30_000)
  t.is(PARSERS.duration('500ms'), 500)
  t.deepEqual(PARSERS.address('[::1]:80'), { host: '::1', port: 80 })
  t.is(PARSERS.url('https://index.docker.io/v1/'), 'https://index.docker.io')
  for (const bad of ['', '4 MiBs', '-1', '1e9', 'NaN']) t.throws(() => PARSERS.size(bad), undefined, bad)
  t.is(PARSERS.duration('7d'), 604_800_000)
  for (const bad of ['30', 's', '1 fortnight', '8d']) t.throws(() => PARSERS.duration(bad), undefined, bad)
})

test('docs/configuration.md has exactly the table of options', async (t) => {
  const text = await readFile(join(ROOT, 'docs/configuration.md'), 'utf8')
  const rows = text.split('\n').filter((line) => /^\| `[a-z]+\.[a-zA-Z]+`/.test(line))
  const expected = OPTION_KEYS.map((key) => {
    const { kind, default: fallback, description }: Option = OPTIONS[key]
    return `| \`${key}\` | \`${variableOf(key)}\` | ${KIND_HINTS[kind].replaceAll('|', ', ')} | ${fallback === undefined ? '' : `\`${fallback}\``} | ${description} |`
  })
  t.deepEqual(rows, expected)
})
