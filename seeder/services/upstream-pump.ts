import { hasCode } from '../../common/errors.ts'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import { ParallelRanges } from './parallel-ranges.ts'
import { createUnitAssembler } from './unit-assembler.ts'
import { createUpstreamStreams, type OpenedStream, type StreamsInit, type UpstreamStreams } from './upstream-streams.ts'

export interface PumpInit extends StreamsInit {
  /** Requests for this blob at a time. */
  connections: number
}

/**
 * Brings what a blob lacks from upstream: ranges in parallel where upstream has them, else one stream.
 * @param first - the answer to a request for the blob's first range or for the whole, where one was made
 * @throws {PantalaError} what upstream or the store ended with, `UPSTREAM_SHORT`, `UPSTREAM_CHANGED`
 */
export async function pumpFromUpstream(init: PumpInit, first: OpenedStream | undefined, signal: AbortSignal): Promise<void> {
  const { partial } = init.arrival
  const streams = createUpstreamStreams(init, signal)
  let opened = first?.stream.kind === 'whole' ? first : undefined
  let plain = opened !== undefined
  if (!opened) {
    const end = await new ParallelRanges(partial, streams, init.connections).run(first)
    plain = end.kind === 'whole'
    opened = end.kind === 'whole' ? end.opened : undefined
  }
  const leave = streams.enter()
  try {
    while (partial.missing > 0) {
      await oneStream(init, streams, opened, plain)
      opened = undefined
    }
  } finally {
    leave()
  }
  // an empty blob
  await opened?.stream.discard()
  opened?.release()
}

/** One stream over the first run of units that are missing, or over all of them where ranges can not be used. */
async function oneStream({ arrival }: PumpInit, streams: UpstreamStreams, first: OpenedStream | undefined, plainFirst: boolean): Promise<void> {
  const { length, unit } = arrival.partial
  const count = unitCount(length, unit)
  let start = 0
  while (start < count && arrival.partial.has(start)) start++
  let last = start
  while (last + 1 < count && !arrival.partial.has(last + 1)) last++
  const assembler = createUnitAssembler(length, unit, start)
  let { end } = unitSpan(last, length, unit)
  let opened = first
  let plain = plainFirst && start === 0
  for (let fruitless = 0; assembler.position < end; ) {
    const before = assembler.position
    try {
      opened ??= await streams.open(plain ? undefined : { start: before, end }, new AbortController())
      if (opened.stream.kind === 'whole') end = length
      await streams.drain(opened, assembler, end)
    } catch (error) {
      fruitless = assembler.position > before ? 0 : fruitless + 1
      const unusable = hasCode(error, 'UPSTREAM_RANGE') && !plain
      if (!unusable) await streams.pause(error, fruitless, assembler.position)
      plain = unusable
    }
    opened = undefined
  }
}
