import { pino } from 'pino'

/** The door to the logging library. One structured line per event; fields carry ids, the message stays constant. */
export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: Record<string, unknown>): Logger
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Header and field names whose values never reach a log. */
const SECRET_FIELDS = ['authorization', 'Authorization', 'password', 'token', 'cookie', 'pantala-token']

/**
 * A logger that writes JSON lines to the given descriptor (2, standard error, unless told otherwise).
 * Known secret fields are removed at any of the first three depths.
 */
export function createLogger(level: LogLevel, fd = 2): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: errorFields },
      redact: { paths: SECRET_FIELDS.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]), censor: '[secret]' },
    },
    pino.destination({ fd, sync: false }),
  )
}

/** Log fields of an error: its code, message and causes; the stack only for what nobody foresaw. */
export function errorFields(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const cause = error.cause === undefined ? {} : { cause: errorFields(error.cause) }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
  const stack = error.name === 'PantalaError' || 'code' in code ? {} : { stack: error.stack }
  return { message: error.message, ...code, ...cause, ...stack }
}

export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
}
