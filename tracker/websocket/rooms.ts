/** Those who can be offered a connection, by swarm. */

/** One peer's way to the tracker. */
export interface Guest {
  peer: string
  complete: boolean
  send(text: string): void
}

/** Swarms in which one connection may be. */
const MAX_SWARMS_OF_ONE = 100

export class Rooms {
  readonly #rooms = new Map<string, Map<string, Guest>>()

  /** @returns false when this connection is in too many swarms, or the peer is there by another one */
  enter(swarm: string, guest: Guest, swarmsOfGuest: number): boolean {
    const room = this.#rooms.get(swarm) ?? new Map<string, Guest>()
    const known = room.get(guest.peer)
    if (known === guest) return true
    if (known || swarmsOfGuest >= MAX_SWARMS_OF_ONE) return false
    room.set(guest.peer, guest)
    this.#rooms.set(swarm, room)
    return true
  }

  leave(swarm: string, guest: Guest): void {
    const room = this.#rooms.get(swarm)
    if (room?.get(guest.peer) !== guest) return
    room.delete(guest.peer)
    if (room.size === 0) this.#rooms.delete(swarm)
  }

  find(swarm: string, peer: string): Guest | undefined {
    return this.#rooms.get(swarm)?.get(peer)
  }

  /**
   * Whom to offer connections: for every second offer somebody who has everything, else anybody. One who has everything is offered only
   * those who do not.
   */
  partners(swarm: string, self: Guest, wanted: number, random: () => number): Guest[] {
    const others = [...(this.#rooms.get(swarm)?.values() ?? [])].filter((guest) => guest !== self && !(self.complete && guest.complete))
    const shuffled = others.map((guest) => ({ guest, at: random() })).toSorted((a, b) => a.at - b.at)
    const complete = shuffled.filter(({ guest }) => guest.complete).slice(0, Math.ceil(wanted / 2))
    const rest = shuffled.filter((each) => !complete.includes(each))
    return [...complete, ...rest].slice(0, wanted).map(({ guest }) => guest)
  }
}
