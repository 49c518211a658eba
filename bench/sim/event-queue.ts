/** What happens when, on a simulated clock in milliseconds. What is due at the same time happens in the order in which it was planned. */
export class EventQueue {
  /** A heap of four children a node: the first due stands first. */
  readonly #times: number[] = []
  readonly #orders: number[] = []
  readonly #events: (() => void)[] = []
  #planned = 0
  #now = 0

  get now(): number {
    return this.#now
  }

  get size(): number {
    return this.#events.length
  }

  /** Events that were planned so far. */
  get planned(): number {
    return this.#planned
  }

  /** @param time - not before now */
  at(time: number, event: () => void): void {
    const order = this.#planned++
    let slot = this.#events.length
    while (slot > 0) {
      const parent = (slot - 1) >> 2
      if (!this.#later(parent, time, order)) break
      this.#move(parent, slot)
      slot = parent
    }
    this.#put(slot, time, order, event)
  }

  after(ms: number, event: () => void): void {
    this.at(this.#now + ms, event)
  }

  /** Lets the next event happen. @returns false when there is none */
  step(): boolean {
    const event = this.#events[0]
    if (!event) return false
    this.#now = this.#times[0] ?? this.#now
    this.#removeFirst()
    event()
    return true
  }

  #removeFirst(): void {
    const time = this.#times.pop()
    const order = this.#orders.pop()
    const event = this.#events.pop()
    if (time === undefined || order === undefined || event === undefined || this.#events.length === 0) return
    const size = this.#events.length
    let slot = 0
    for (;;) {
      const first = slot * 4 + 1
      if (first >= size) break
      let least = first
      for (let child = first + 1; child < Math.min(first + 4, size); child++) {
        if (this.#later(least, this.#times[child] ?? 0, this.#orders[child] ?? 0)) least = child
      }
      if (this.#later(least, time, order)) break
      this.#move(least, slot)
      slot = least
    }
    this.#put(slot, time, order, event)
  }

  /** Whether what stands in a slot is due after this. */
  #later(slot: number, time: number, order: number): boolean {
    const other = this.#times[slot] ?? 0
    return other > time || (other === time && (this.#orders[slot] ?? 0) > order)
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from] ?? 0, this.#orders[from] ?? 0, this.#events[from] ?? nothing)
  }

  #put(slot: number, time: number, order: number, event: () => void): void {
    this.#times[slot] = time
    this.#orders[slot] = order
    this.#events[slot] = event
  }
}

function nothing(): void {}
