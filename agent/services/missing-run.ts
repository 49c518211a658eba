import type { UnitRun } from './fetch-units.ts'

export interface MissingQuestion {
  /** Units in the blob. */
  count: number
  /** Missing here, and to be asked for. */
  wanted: (index: number) => boolean
  /** The unit that a reader waits for. */
  from: number
  /** Units in a run at most. */
  longest: number
}

/** The first units that are wanted in a row, from where a reader waits on, else from the start. Pure. */
export function missingRun({ count, wanted, from, longest }: MissingQuestion): UnitRun | undefined {
  const first = firstWanted(from, count, wanted) ?? firstWanted(0, from, wanted)
  if (first === undefined) return undefined
  let end = first + 1
  while (end < count && end - first < longest && wanted(end)) end++
  return { first, end }
}

function firstWanted(start: number, end: number, wanted: (index: number) => boolean): number | undefined {
  for (let index = start; index < end; index++) if (wanted(index)) return index
  return undefined
}
