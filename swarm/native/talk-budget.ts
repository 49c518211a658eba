/** Messages that cost more to act on than to send: nobody has a reason for more of them. */
const MESSAGES_PER_SECOND = 500
const MESSAGES_AT_ONCE = 1_000

/** How much a peer may talk beside asking and answering. Pure. */
export class TalkBudget {
  #left = MESSAGES_AT_ONCE
  #at: number | undefined

  /** Counts a message. @returns false when it is one too many */
  spend(now: number): boolean {
    const elapsed = now - (this.#at ?? now)
    this.#at = now
    this.#left = Math.min(MESSAGES_AT_ONCE, this.#left + (elapsed / 1000) * MESSAGES_PER_SECOND) - 1
    return this.#left >= 0
  }
}
