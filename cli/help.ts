import { KIND_HINTS } from '../common/config/kinds.ts'
import { OPTIONS, variableOf, type Option } from '../common/config/options.ts'
import type { Command } from './command.ts'

const EXIT_CODES = 'Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 wrong digest, 4 nobody reachable, 5 target not writable or full.'

export function overview(commands: readonly Command[], version: string): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`)
  return [
    `Pantala ${version}: OCI images and large files to many machines over BitTorrent.`,
    '',
    'usage: pantala COMMAND [FLAGS]',
    '',
    ...lines,
    '',
    `pantala COMMAND --help says more. ${EXIT_CODES}`,
    '',
  ].join('\n')
}

export function helpOf(command: Command): string {
  const rows: [string, string][] = []
  for (const [flag, keys] of Object.entries(command.settings)) {
    const [key] = keys
    if (key === undefined) continue
    const { kind, description, default: fallback, min }: Option = OPTIONS[key]
    const rest = [
      ...(fallback === undefined ? [] : [`default ${fallback}`]),
      ...(min === undefined ? [] : [`at least ${min}`]),
      ...keys.map((each) => `${each}, ${variableOf(each)}`),
    ]
    rows.push([`--${flag} ${KIND_HINTS[kind]}`, `${description} (${rest.join('; ')})`])
  }
  for (const [flag, { value, short, description }] of Object.entries(command.own ?? {})) {
    rows.push([`${short === undefined ? '' : `-${short}, `}--${flag}${value === undefined ? '' : ` ${value}`}`, description])
  }
  if (Object.keys(command.settings).length > 0)
    rows.push(['--config PATH', 'YAML file with the same settings (default /etc/pantala/pantala.yaml); a flag beats a variable beats the file'])
  rows.push(['--help', 'this text'])
  const width = Math.max(...rows.map(([left]) => left.length))
  const body = rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
  return [`usage: pantala ${command.name} ${command.usage}`, '', command.summary, '', ...body, '', EXIT_CODES, ''].join('\n')
}
