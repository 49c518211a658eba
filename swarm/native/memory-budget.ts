/** Memory for units on their way, shared by the swarms of an engine. A swarm that has nothing gets one unit in any case, so that all go on. */
export class MemoryBudget {
  readonly #bytes: number
  readonly #waiting = new Set<() => void>()
  #used = 0

  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Bytes that are in use or promised. */
  get used(): number {
    return this.#used
  }

  fits(bytes: number): boolean {
    return this.#used + bytes <= this.#bytes
  }

  take(bytes: number): void {
    this.#used += bytes
  }

  give(bytes: number): void {
    this.#used -= bytes
    // each goes on only as far as there is room, and waits again behind the others
    for (const go of [...this.#waiting]) {
      if (this.#used >= this.#bytes) return
      this.#waiting.delete(go)
      go()
    }
  }

  /** @param go - called once, when memory is free again */
  wait(go: () => void): void {
    this.#waiting.add(go)
  }

  /** The swarm has ended. */
  forget(go: () => void): void {
    this.#waiting.delete(go)
  }
}
