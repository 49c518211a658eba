import type { Clock } from '../../common/lifecycle.ts'

/** A tracker that has restarted hears of each seeder within this time, or the seeder is gone. */
export const SEEDER_GRACE_MS = 20_000

/** The seeders by the word of a tracker. One that has just restarted does not know them all: those that its predecessor named are kept for a while. */
export interface KnownSeeders<T extends { id: string }> {
  /** @param epoch - of the tracker that names these; another one than before means that it knows only who has come since */
  named(epoch: string, seeders: readonly T[]): void
  all(): readonly T[]
}

export function createKnownSeeders<T extends { id: string }>(clock: Clock): KnownSeeders<T> {
  let current: { epoch: string | undefined; seeders: readonly T[] } = { epoch: undefined, seeders: [] }
  let kept: readonly T[] = []
  let keptUntil = 0

  const all = (): readonly T[] => {
    if (clock.monotonic() >= keptUntil) kept = []
    return [...current.seeders, ...kept]
  }

  return {
    named(epoch, seeders) {
      if (current.epoch !== undefined && current.epoch !== epoch) {
        kept = all()
        keptUntil = clock.monotonic() + SEEDER_GRACE_MS
      }
      current = { epoch, seeders }
      kept = kept.filter(({ id }) => !seeders.some((named) => named.id === id))
    },
    all,
  }
}
