import { unitSpan, type ByteSpan } from '../../common/store/units.ts'
import { PantalaError } from '../../common/errors.ts'

/** The units `first` up to, not including, `end`. */
export interface UnitRun {
  first: number
  end: number
}

export interface FetchUnitsInit {
  length: number
  unit: number
  run: UnitRun
  /** The bytes of a span, from one rung. */
  open: (span: ByteSpan) => Promise<AsyncIterable<Uint8Array>>
  /** Stores a unit; throws when it does not match. */
  write: (index: number, bytes: Uint8Array) => Promise<void>
  /** Asked before each unit but the first; false ends the fetch. */
  goOn: (index: number) => boolean
}

/**
 * Fetches a run of units by HTTP, storing each as soon as it is whole.
 * @throws {PantalaError} `RUNG_SHORT` (502) when the body ends early; what `open`, the body and `write` throw
 */
export async function fetchUnits({ length, unit, run, open, write, goOn }: FetchUnitsInit): Promise<void> {
  const span = { start: run.first * unit, end: unitSpan(run.end - 1, length, unit).end }
  let index = run.first
  let buffer = bufferFor(index)
  let filled = 0

  function bufferFor(at: number): Buffer {
    const { start, end } = unitSpan(at, length, unit)
    return Buffer.allocUnsafeSlow(end - start)
  }

  for await (const chunk of await open(span)) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, buffer.length - filled)
      buffer.set(chunk.subarray(at, at + taken), filled)
      at += taken
      filled += taken
      if (filled < buffer.length) continue
      await write(index, buffer)
      index++
      if (index >= run.end || !goOn(index)) return
      buffer = bufferFor(index)
      filled = 0
    }
  }
  throw new PantalaError('RUNG_SHORT', `the answer ended ${span.end - index * unit - filled} bytes early`, { status: 502 })
}
