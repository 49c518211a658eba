import type { Clock } from '../../common/lifecycle.ts'

/** Time that passes only when a test says so. */
export function testClock(): Clock & { pass(ms: number): void } {
  let now = 1_000_000
  return {
    now: () => now,
    monotonic: () => now,
    pass(ms) {
      now += ms
    },
  }
}
