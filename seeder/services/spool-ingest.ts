import { setTimeout as sleep } from 'node:timers/promises'
import { PantalaError } from '../../common/errors.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import type { Spool } from '../../common/store/store.ts'
import { decideRetry } from './retry-policy.ts'

/** Bytes of a blob from one of its bytes on. */
export interface SpoolStream {
  start: number
  body: AsyncIterable<Uint8Array>
  release: () => void
}

export interface SpoolIngestInit {
  spool: Spool
  /** Asks for the blob from a byte on; an answer may begin earlier. */
  open: (start: number) => Promise<SpoolStream>
  /** Told of bytes as they come. */
  onReceived: (bytes: number) => void
  log: Logger
  random: () => number
}

/** Brings a blob whose length nobody says: in one stream that goes on where it breaks off. When that fails the spool is discarded. */
export async function spoolFrom(init: SpoolIngestInit, first: SpoolStream, signal: AbortSignal): Promise<void> {
  const { spool, open, log, random } = init
  try {
    let opened: SpoolStream | undefined = first
    for (let fruitless = 0; ; ) {
      const before = spool.length
      try {
        opened ??= await open(before)
        await take(init, opened)
        break
      } catch (error) {
        if (signal.aborted) throw signal.reason
        opened = undefined
        fruitless = spool.length > before ? 0 : fruitless + 1
        const decision = decideRetry(error, fruitless, random())
        if (decision.kind === 'fail') throw error
        log.info({ digest: spool.digest, at: spool.length, afterMs: decision.afterMs, error: errorFields(error) }, 'a stream broke off, continuing')
        await sleep(decision.afterMs, undefined, { signal })
      }
    }
    await spool.commit()
  } catch (error) {
    log.warn({ digest: spool.digest, arrived: spool.length, error: errorFields(error) }, 'ingest of a blob of unknown length failed')
    await spool.discard(error instanceof Error ? error : new Error(String(error)))
    throw error
  }
}

async function take({ spool, onReceived }: SpoolIngestInit, { start, body, release }: SpoolStream): Promise<void> {
  let at = start
  try {
    for await (const chunk of body) {
      const known = Math.max(0, spool.length - at)
      if (known < chunk.length) await spool.append(chunk.subarray(known))
      at += chunk.length
      onReceived(chunk.length)
    }
  } finally {
    release()
  }
  if (at < spool.length) throw new PantalaError('UPSTREAM_SHORT', `upstream ended after ${at} bytes, ${spool.length} had come before`, { status: 502 })
}
