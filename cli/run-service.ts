import { once } from 'node:events'
import { errorFields, type Logger } from '../common/log.ts'
import type { Service } from '../common/lifecycle.ts'
import { EXIT } from './exit-codes.ts'

/** Stopping takes no longer than this; what is left is cut off. */
const STOP_LIMIT_MS = 20_000

/**
 * Runs a service until SIGTERM or SIGINT, drains it and returns exit code 0. A second signal ends the process at once.
 * @param lines - what to tell people once it runs
 */
export async function runService(service: Service, lines: () => readonly string[], log: Logger): Promise<number> {
  const signals = new AbortController()
  const signalled = Promise.race(['SIGTERM', 'SIGINT'].map((name) => once(process, name, { signal: signals.signal }).then(() => name)))
  process.on('uncaughtException', (error) => die(log, error))
  process.on('unhandledRejection', (error) => die(log, error))
  const started = service.start()
  const first = await Promise.race([started.then(() => undefined), signalled])
  if (first === undefined) {
    process.stdout.write(`${lines().join('\n')}\n`)
    await signalled
  }
  for (const name of ['SIGTERM', 'SIGINT']) process.once(name, () => process.exit(EXIT.failed))
  log.info({}, 'stopping')
  const cutOff = setTimeout(() => {
    log.warn({ ms: STOP_LIMIT_MS }, 'stopping took too long, the rest is cut off')
    process.exit(EXIT.failed)
  }, STOP_LIMIT_MS)
  await started.catch(() => {})
  await service.stop()
  clearTimeout(cutOff)
  signals.abort()
  return EXIT.ok
}

function die(log: Logger, error: unknown): void {
  log.error({ error: errorFields(error) }, 'an error that nobody foresaw ends the process')
  process.exit(EXIT.failed)
}
