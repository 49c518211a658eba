import { defaultDataFolder } from '../common/config/data-folder.ts'
import { DFGET_CONFIG_PATH, loadConfig, type LoadedConfig } from '../common/config/load.ts'
import type { OptionKey } from '../common/config/options.ts'
import { PantalaError } from '../common/errors.ts'
import { createLogger, type Logger } from '../common/log.ts'
import type { Command, CommandContext } from './command.ts'

/** Flags that every service has. */
export const COMMON_FLAGS = { 'log-level': ['log.level'], connections: ['limits.connections'], 'limit-upload': ['limits.upload'], 'limit-download': ['limits.download'] } as const

export interface ServiceSettings extends LoadedConfig {
  log: Logger
  dataFolder: (key: Extract<OptionKey, `${string}.data`>) => string
}

/** Loads the configuration of a service, and says what of it is ignored. */
export async function loadSettings(context: CommandContext): Promise<ServiceSettings> {
  const variables = process.env
  const loaded = await load(context)
  const log = createLogger(loaded.settings['log.level'])
  for (const warning of [...context.warnings, ...loaded.warnings]) log.warn({}, warning)
  return { ...loaded, log, dataFolder: (key) => loaded.settings[key] ?? defaultDataFolder(variables) }
}

/** What is wrong with the settings of a command whose arguments are wrong already. */
export async function settingsProblems(command: Command, context: CommandContext): Promise<string[]> {
  if (Object.keys(command.settings).length === 0) return []
  try {
    await load(context)
    return []
  } catch (error) {
    if (error instanceof PantalaError) return error.message.split('\n')
    throw error
  }
}

function load({ flags, configPath, readsDfget }: CommandContext): Promise<LoadedConfig> {
  return loadConfig({
    flags,
    variables: process.env,
    ...(configPath === undefined ? {} : { configPath }),
    ...(readsDfget ? { dfgetPath: DFGET_CONFIG_PATH } : {}),
  })
}

/** `limits:` as the parts take them. */
export function limitsOf({ settings }: LoadedConfig): { maxConnections: number; uploadLimit?: number; downloadLimit?: number } {
  const upload = settings['limits.upload']
  const download = settings['limits.download']
  return {
    maxConnections: settings['limits.connections'],
    ...(upload === undefined ? {} : { uploadLimit: upload }),
    ...(download === undefined ? {} : { downloadLimit: download }),
  }
}

/** `{advertiseIp}` when it is set. */
export function advertised(ip: string | undefined): { advertiseIp?: string } {
  return ip === undefined ? {} : { advertiseIp: ip }
}
