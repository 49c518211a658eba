import type { Assignments } from './assignments.ts'
import type { Peer } from './peer.ts'
import { cancel, unask } from './requests.ts'
import { takeOver, type Busy } from './takeover.ts'

export interface HandoverOptions {
  assignments: Assignments
  peers: () => Iterable<Peer>
  now: () => number
}

/** Takes units from peers that are asked for them, without a byte of them sent twice. */
export class Handover {
  readonly #options: HandoverOptions

  constructor(options: HandoverOptions) {
    this.#options = options
  }

  /** Has an idle peer send what a busier one would send last. @returns the unit when it is free at once */
  takeOver(peer: Peer): number | undefined {
    const { assignments, now } = this.#options
    if (assignments.awaits(peer)) return undefined
    const taken = takeOver({ busy: this.#busyBeside(peer), offered: (unit) => peer.offers(unit), rate: peer.rate.value(now()) })
    const assignment = taken?.from.assigned.get(taken.index)
    if (!taken || !assignment) return undefined
    const requested = assignments.requested(taken.from, taken.index)
    if (taken.from.connection.fast && requested.length > 0) {
      // BEP 6: each cancelled request is answered, by its data or by a reject
      assignments.succeed(peer, assignment, now())
      for (const at of requested) cancel(taken.from, at)
      return undefined
    }
    this.cancel(taken.from, taken.index)
    assignments.giveBack(taken.from, assignment)
    return taken.index
  }

  /** Nothing more of the unit is awaited from the peer. */
  cancel(peer: Peer, index: number): void {
    for (const at of this.#options.assignments.requested(peer, index)) {
      cancel(peer, at)
      unask(peer, at)
    }
  }

  #busyBeside(peer: Peer): Busy<Peer>[] {
    const { assignments, peers, now } = this.#options
    return [...peers()].flatMap((from) => {
      let outstanding = 0
      const rate = from.rate.value(now())
      return [...from.assigned.values()].flatMap((assignment) => {
        const left = assignments.left(assignment)
        outstanding += left
        return from === peer || assignment.yielding !== undefined
          ? []
          : [{ from, index: assignment.index, left, outstanding, rate, waited: from.grants ? now() - assignment.since : Infinity }]
      })
    })
  }
}
