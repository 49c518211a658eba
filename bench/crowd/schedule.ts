/** Who comes and goes when in a crowd. Pure. */

export interface Visit {
  member: number
  joinMs: number
  /** Leaves then, whether it is done or not. */
  leaveMs: number | undefined
}

export interface CrowdShape {
  members: number
  /** Of the members: those that come while the others are at it. */
  late: number
  /** Of those that come at once: those that leave in the middle. */
  leavers: number
  /** The time that the seeder's uplink needs for the file once. */
  boundMs: number
  /** At least 0 and less than 1. */
  random: () => number
}

/** Those that come at once do so within a second; the late ones within twice the bound; the leavers go between a fifth of it and all of it. */
export function schedule({ members, late, leavers, boundMs, random }: CrowdShape): Visit[] {
  return Array.from({ length: members }, (_, member) => {
    const comesLate = member >= members - late
    const leaves = !comesLate && member < leavers
    return {
      member,
      joinMs: comesLate ? boundMs * (0.1 + 1.9 * random()) : 1000 * random(),
      leaveMs: leaves ? boundMs * (0.2 + 0.8 * random()) : undefined,
    }
  })
}
