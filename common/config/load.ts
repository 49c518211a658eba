import { PantalaError } from '../errors.ts'
import { readYaml } from './file.ts'
import { reasonOf } from './kinds.ts'
import { isOptionKey, OPTION_KEYS, OPTIONS, parseOption, variableOf, type Option, type OptionKey, type Settings } from './options.ts'
import { parseRegistries, type RegistriesSettings } from './registries.ts'
import { nearest } from './suggest.ts'

export const DEFAULT_CONFIG_PATH = '/etc/pantala/pantala.yaml'
export const DFGET_CONFIG_PATH = '/etc/dragonfly/dfget.yml'

export interface ConfigSources {
  /** From the command line, as written. */
  flags: ReadonlyMap<OptionKey, { text: string; flag: string }>
  variables: Readonly<Record<string, string | undefined>>
  /** A file that was named; it must exist. Without it the default one is read if it is there. */
  configPath?: string
  defaultPath?: string
  /** Dragonfly's file, read if it is there; left out where nothing of it is used. */
  dfgetPath?: string
}

export interface LoadedConfig {
  settings: Settings
  /** Settings that were written somewhere, so that they are not just the default. */
  given: ReadonlySet<OptionKey>
  registries: RegistriesSettings
  warnings: string[]
}

/** Kinds that may be written as a YAML list. */
const LISTS: ReadonlySet<string> = new Set(['nodes', 'zones'])

interface Raw {
  text: string
  /** Where it was written, for messages. */
  from: string
}

/**
 * All settings: flag beats variable beats file beats Dragonfly's `dfget.yml` beats default.
 * @throws {PantalaError} `CONFIG_INVALID` (every problem, a line each), `CONFIG_UNREADABLE`
 */
export async function loadConfig(sources: ConfigSources): Promise<LoadedConfig> {
  const problems: string[] = []
  const warnings: string[] = []
  const raw = new Map<OptionKey, Raw>()
  if (sources.dfgetPath !== undefined) readDfget(await readYaml(sources.dfgetPath), raw, warnings, problems)
  const file = await readConfigFile(sources)
  const registries = readFileSections(file, raw, problems)
  readVariables(sources.variables, raw, problems)
  for (const [key, { text, flag }] of sources.flags) raw.set(key, { text, from: flag })

  const settings: Record<string, unknown> = {}
  for (const key of OPTION_KEYS) {
    const option: Option = OPTIONS[key]
    const given = raw.get(key)
    const text = given?.text ?? option.default
    try {
      settings[key] = text === undefined ? undefined : parseOption(option, text)
    } catch (error) {
      problems.push(`${given?.from ?? key}: ${reasonOf(error)}`)
    }
  }
  if (problems.length > 0) throw new PantalaError('CONFIG_INVALID', problems.join('\n'), { status: 400 })
  return { settings: settings as Settings, given: new Set(raw.keys()), registries, warnings }
}

async function readConfigFile({ configPath, defaultPath = DEFAULT_CONFIG_PATH }: ConfigSources): Promise<unknown> {
  const content = await readYaml(configPath ?? defaultPath)
  if (content === undefined && configPath !== undefined) {
    throw new PantalaError('CONFIG_UNREADABLE', `there is no file ${configPath}`, { status: 400 })
  }
  return content ?? {}
}

function readFileSections(file: unknown, raw: Map<OptionKey, Raw>, problems: string[]): RegistriesSettings {
  if (file === null || typeof file !== 'object' || Array.isArray(file)) {
    problems.push('the configuration file: expected a map of sections')
    return {}
  }
  const sections = [...new Set(OPTION_KEYS.map((key) => key.split('.')[0] ?? '')), 'registries']
  let registries: RegistriesSettings = {}
  for (const [section, entries] of Object.entries(file)) {
    if (section === 'registries') registries = parseRegistries(entries, problems)
    else if (!sections.includes(section)) problems.push(`${section}: unknown section${hint(section, sections)}`)
    else if (entries !== null && (typeof entries !== 'object' || Array.isArray(entries))) problems.push(`${section}: expected a map of keys`)
    else readSection(section, (entries ?? {}) as Record<string, unknown>, raw, problems)
  }
  return registries
}

function readSection(section: string, entries: Record<string, unknown>, raw: Map<OptionKey, Raw>, problems: string[]): void {
  const known = OPTION_KEYS.filter((key) => key.startsWith(`${section}.`)).map((key) => key.slice(section.length + 1))
  for (const [name, value] of Object.entries(entries)) {
    const key = `${section}.${name}`
    if (!isOptionKey(key)) {
      problems.push(`${key}: unknown key${hint(name, known)}`)
      continue
    }
    if (value === null) continue
    const text = Array.isArray(value) && LISTS.has(OPTIONS[key].kind) ? value.map(String).join(',') : value
    if (typeof text === 'string' || typeof text === 'number' || typeof text === 'boolean') raw.set(key, { text: String(text), from: key })
    else problems.push(`${key}: expected text, a number, yes or no, got ${Array.isArray(value) ? 'a list' : typeof value}`)
  }
}

function readVariables(variables: ConfigSources['variables'], raw: Map<OptionKey, Raw>, problems: string[]): void {
  const names = new Map(OPTION_KEYS.map((key) => [variableOf(key), key]))
  const sections = new RegExp(`^PANTALA_(${[...new Set(OPTION_KEYS.map((key) => (key.split('.')[0] ?? '').toUpperCase()))].join('|')})_`)
  for (const [name, text] of Object.entries(variables)) {
    const key = names.get(name)
    if (key !== undefined && text !== undefined && text !== '') raw.set(key, { text, from: name })
    else if (key === undefined && sections.test(name)) problems.push(`${name}: unknown variable${hint(name, [...names.keys()])}`)
  }
}

/** Dragonfly's file names the supernodes; the rest of it has no meaning here. */
function readDfget(content: unknown, raw: Map<OptionKey, Raw>, warnings: string[], problems: string[]): void {
  if (content === undefined || content === null) return
  if (typeof content !== 'object' || Array.isArray(content)) {
    problems.push('dfget.yml: expected a map')
    return
  }
  for (const [name, value] of Object.entries(content)) {
    if (name !== 'nodes') {
      warnings.push(`dfget.yml: ${name} has no meaning for Pantala and is ignored`)
      continue
    }
    const text = (Array.isArray(value) ? value.map(String) : [String(value)]).map(nodeOf).join(',')
    raw.set('agent.nodes', { text, from: 'dfget.yml: nodes' })
  }
}

/** Dragonfly allows a weight behind a node: `host:port=2`. Its own port was 8002; the tracker's is 8001. */
function nodeOf(text: string): string {
  return (text.trim().split('=')[0] ?? '').replace(/:8002$/, ':8001')
}

function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  return near === undefined ? '' : `, did you mean ${near}?`
}
