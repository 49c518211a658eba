import type { OptionKey } from '../common/config/options.ts'

/** A flag that is no setting: it belongs to one command. */
export interface OwnFlag {
  /** What stands for the value in help; without it the flag has none. */
  value?: string
  short?: string
  description: string
}

export interface CommandContext {
  positionals: string[]
  /** Values of own flags; '' for those without a value. */
  own: ReadonlyMap<string, string>
  flags: ReadonlyMap<OptionKey, { text: string; flag: string }>
  configPath: string | undefined
  warnings: readonly string[]
  /** The command asks trackers that `/etc/dragonfly/dfget.yml` may name; others leave that file alone. */
  readsDfget: boolean
}

export interface Command {
  /** One or two words. */
  name: string
  /** What follows the name in help. */
  usage: string
  summary: string
  /** Flag → the settings that it sets. */
  settings: Readonly<Record<string, readonly OptionKey[]>>
  own?: Readonly<Record<string, OwnFlag>>
  /** How many words may follow. */
  positionals: readonly [min: number, max: number]
  /** @returns the exit code */
  run(context: CommandContext): Promise<number>
}
