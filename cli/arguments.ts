import { nearest } from '../common/config/suggest.ts'
import type { OptionKey } from '../common/config/options.ts'
import type { Command, CommandContext } from './command.ts'

export type ParsedArguments = { kind: 'help' } | { kind: 'run'; context: CommandContext; problems: string[] }

/** Dragonfly's way to set a property of its supernode. */
const DRAGONFLY_PROPERTIES: Readonly<Record<string, string>> = { 'supernode.advertiseIp': 'advertise-ip' }

/**
 * Reads a command's arguments: `--flag value`, `--flag=value`, both in one argument (Dragonfly's manifests write them so), and
 * `-Dsupernode.advertiseIp=IP`. What is wrong with them is returned, so that it can be told together with what is wrong with the
 * values.
 */
export function parseArguments(command: Command, argv: readonly string[]): ParsedArguments {
  const problems: string[] = []
  const warnings: string[] = []
  const positionals: string[] = []
  const own = new Map<string, string>()
  const flags = new Map<OptionKey, { text: string; flag: string }>()
  let configPath: string | undefined
  const ownFlags = command.own ?? {}
  const readsDfget = Object.values(command.settings).some((keys) => keys.includes('agent.nodes'))
  const known = [...Object.keys(command.settings), ...Object.keys(ownFlags), 'config', 'help']
  const queue = argv.flatMap(split)

  const take = (name: string, inline: string | undefined): string | undefined => {
    const value = inline ?? queue.shift()
    if (value === undefined) problems.push(`--${name}: expected a value`)
    return value
  }
  const set = (name: string, inline: string | undefined): void => {
    const keys = command.settings[name]
    const ownFlag = ownFlags[name]
    if (keys) {
      const text = take(name, inline)
      if (text !== undefined) for (const key of keys) flags.set(key, { text, flag: `--${name}` })
    } else if (ownFlag) {
      if (ownFlag.value === undefined && inline !== undefined) problems.push(`--${name}: takes no value`)
      const value = ownFlag.value === undefined ? '' : take(name, inline)
      if (value !== undefined) own.set(name, value)
    } else if (name === 'config') {
      configPath = take(name, inline)
    } else {
      const near = nearest(name, known)
      problems.push(`--${name}: unknown flag of "${command.name}"${near === undefined ? '' : `, did you mean --${near}?`}`)
    }
  }

  for (let argument = queue.shift(); argument !== undefined; argument = queue.shift()) {
    if (argument === '--') positionals.push(...queue.splice(0))
    else if (argument === '--help' || argument === '-h') return { kind: 'help' }
    else if (argument.startsWith('--')) {
      const [, name = '', inline] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(argument) ?? []
      set(name, inline)
    } else if (argument.startsWith('-D')) setProperty(argument, command, set, warnings)
    else if (argument.startsWith('-') && argument !== '-') {
      const name = Object.entries(ownFlags).find(([, { short }]) => short === argument.slice(1))?.[0]
      if (name === undefined) problems.push(`${argument}: unknown flag of "${command.name}"`)
      else set(name, undefined)
    } else positionals.push(argument)
  }
  const [min, max] = command.positionals
  if (problems.length === 0 && (positionals.length < min || positionals.length > max)) problems.push(`usage: pantala ${command.name} ${command.usage}`)
  return { kind: 'run', context: { positionals, own, flags, configPath, warnings, readsDfget }, problems }
}

/** `--flag value` in one argument. A value that was given its own argument may hold spaces, a flag's name may not. */
function split(argument: string): string[] {
  const match = /^(--[a-zA-Z][a-zA-Z-]*)\s+([\s\S]+)$/.exec(argument)
  return match?.[1] !== undefined && match[2] !== undefined ? [`${match[1]}=${match[2]}`] : [argument]
}

function setProperty(argument: string, command: Command, set: (name: string, value: string) => void, warnings: string[]): void {
  const [, property = '', value = ''] = /^-D([^=]+)=([\s\S]*)$/.exec(argument) ?? []
  const flag = DRAGONFLY_PROPERTIES[property]
  if (flag !== undefined && command.settings[flag]) set(flag, value)
  else warnings.push(`${argument.split('=')[0]}: has no meaning for Pantala and is ignored`)
}
