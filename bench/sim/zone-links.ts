import type { Link } from './node.ts'

/** The links between zones: each zone has one to the others, with a rate each way, behind which blocks wait. */
export class ZoneLinks {
  /** Bytes that went from one zone to another. */
  crossed = 0
  readonly #rate: number
  readonly #free = new Map<string, number>()

  /** @param rate - bytes per second */
  constructor(rate = Infinity) {
    this.#rate = rate
  }

  /** When a block is through that comes out of the sender's uplink at a time. */
  through({ self, other }: Link, bytes: number, at: number): number {
    const [from, to] = [self.plan.zone, other.plan.zone]
    if (from === to) return at
    this.crossed += bytes
    if (this.#rate === Infinity) return at
    return this.#pass(`to ${to}`, bytes, this.#pass(`from ${from}`, bytes, at))
  }

  #pass(name: string, bytes: number, at: number): number {
    const through = Math.max(at, (this.#free.get(name) ?? 0) + (bytes / this.#rate) * 1000)
    this.#free.set(name, through)
    return through
  }
}
