import { Drawing } from './drawing.ts'

/** Which peers an asker is told of. Pure: who is there comes as a pool of numbered candidates, chance from the caller. */

/** Candidates by their numbers in the pool. */
export interface Picks {
  readonly size: number
  at(position: number): number
}

/** The peers of one swarm as one asker sees them, in this order: those that have everything, something, nothing yet. */
export interface PeerPool {
  /** Candidates `0 … complete - 1` have everything. */
  readonly complete: number
  /** Candidates `complete … giving - 1` have something. */
  readonly giving: number
  readonly size: number
  /** Our own seeders, wherever they stand: they are the first who have something to give. */
  readonly seeders: Picks
  /** Those that share the asker's zone; empty where it has none. */
  readonly zone: Picks
  /** False for those that this asker can not use: itself, not reachable, no address for it. */
  usable(candidate: number): boolean
  isSeeder(candidate: number): boolean
  inZone(candidate: number): boolean
  inRack(candidate: number): boolean
  /** How often it was handed out of late, for its capacity: the lower, the sooner it is chosen. */
  load(candidate: number): number
}

export interface PeerQuestion {
  pool: PeerPool
  asker: { complete: boolean; zoned: boolean; racked: boolean }
  wanted: number
  /** At least 0 and less than 1. */
  random: () => number
}

/** An answer holds no more peers than this, whatever was wanted: everybody's degree stays bounded. */
export const MAX_DEGREE = 50
/** Shares of an answer: for peers of other zones, and for anybody at all, so that no group starves. */
const FAR_SHARE = 0.03
const ANYBODY_SHARE = 0.02
/** Of what is left for the asker's own zone, this share may come from its own rack. */
const RACK_SHARE = 0.5
/** Once this many agents have something to give, seeders are at most this share of an answer. */
const AGENTS_THAT_SUFFICE = 5
const SEEDER_SHARE = 0.1
/** So much of an answer has something to give, if there are such peers; where zones matter, so many from anywhere. */
const GIVING_SHARE = 0.25
const GIVING_FROM_ANYWHERE = 2
/** Whoever has neighbours in its zone is told of no more others than make up this many: enough to hang together. */
const ENOUGH_WITH_NEIGHBOURS = 12
/** Twice as many are drawn as are needed, and those kept that were handed out the least. */
const CHOICES = 2
/** Draws that may find nobody usable before a group counts as exhausted. */
const FRUITLESS_DRAWS = 256

/**
 * Chooses peers, each at most once, in random order.
 *
 * One that lacks something is told of peers that have something first, then of its rack, its zone, others and anybody. One
 * that has everything is told only of peers that lack something. The cost is that of the answer, not of the swarm.
 */
export function choosePeers(question: PeerQuestion): number[] {
  const wanted = Math.min(question.wanted, MAX_DEGREE)
  if (wanted <= 0) return []
  const choice = new Choice(question, wanted)
  const { pool, asker } = question
  const all = choice.range(0, pool.size)
  const neighbours = asker.zoned && pool.zone.size > 1
  if (all.size <= (neighbours ? Math.min(wanted, ENOUGH_WITH_NEIGHBOURS) : wanted)) {
    choice.take(all, wanted)
    return choice.shuffled()
  }
  const far = asker.zoned ? Math.max(1, Math.round(wanted * FAR_SHARE)) : 0
  const anybody = asker.zoned ? Math.max(1, Math.round(wanted * ANYBODY_SHARE)) : 0
  if (!asker.complete) {
    choice.take(choice.sources(), 1)
    const giving = (candidate: number): boolean => candidate < pool.giving
    choice.take(pool.zone, Math.ceil(wanted * GIVING_SHARE), giving)
    choice.take(choice.range(0, pool.giving), (asker.zoned ? GIVING_FROM_ANYWHERE : Math.ceil(wanted * GIVING_SHARE)) - choice.size)
  }
  choice.take(all, anybody)
  choice.take(all, far, (candidate) => !pool.inZone(candidate))
  if (asker.racked) choice.take(pool.zone, Math.floor((wanted - choice.size) * RACK_SHARE), (candidate) => pool.inRack(candidate))
  choice.take(pool.zone, wanted - choice.size)
  choice.take(all, (neighbours ? Math.min(wanted, ENOUGH_WITH_NEIGHBOURS) : wanted) - choice.size)
  return choice.shuffled()
}

class Choice {
  readonly #question: PeerQuestion
  readonly #chosen = new Set<number>()
  readonly #wanted: number
  /** Candidates before this one are of no use to the asker. */
  readonly #first: number
  #seedersLeft: number

  constructor(question: PeerQuestion, wanted: number) {
    this.#question = question
    this.#wanted = wanted
    const { giving, seeders, complete } = question.pool
    this.#first = question.asker.complete ? complete : 0
    const suffice = giving - seeders.size >= AGENTS_THAT_SUFFICE
    this.#seedersLeft = suffice ? Math.max(1, Math.floor(wanted * SEEDER_SHARE)) : wanted
  }

  get size(): number {
    return this.#chosen.size
  }

  range(start: number, end: number): Picks {
    const from = Math.max(start, this.#first)
    return { size: Math.max(0, end - from), at: (position) => from + position }
  }

  /** Where the whole blob is to be had: complete peers, or seeders that may still be receiving it. */
  sources(): Picks {
    const { complete, seeders } = this.#question.pool
    return complete > 0 ? this.range(0, complete) : seeders
  }

  /** Takes up to `most` usable candidates out of a group: of twice as many drawn at random those with the least load. */
  take(from: Picks, most: number, accept: (candidate: number) => boolean = () => true): void {
    const count = Math.min(most, this.#wanted - this.size)
    if (count <= 0) return
    const { pool, random } = this.#question
    const drawn: number[] = []
    let fruitless = 0
    const positions = new Drawing(from.size, count * CHOICES, random)
    for (let position = positions.next(); position >= 0; position = positions.next()) {
      const candidate = from.at(position)
      if (!this.#mayTake(candidate) || !accept(candidate)) {
        if (++fruitless > FRUITLESS_DRAWS) break
        continue
      }
      drawn.push(candidate)
      if (drawn.length >= count * CHOICES) break
    }
    const enough = this.size + count
    for (const candidate of lessLoaded(drawn, count, pool)) {
      if (this.size >= enough) return
      if (!this.#mayTake(candidate)) continue
      if (pool.isSeeder(candidate)) this.#seedersLeft--
      this.#chosen.add(candidate)
    }
  }

  #mayTake(candidate: number): boolean {
    const { pool } = this.#question
    if (candidate < this.#first || this.#chosen.has(candidate) || !pool.usable(candidate)) return false
    return this.#seedersLeft > 0 || !pool.isSeeder(candidate)
  }

  /** Who was drawn first must not be everybody's first choice. */
  shuffled(): number[] {
    const chosen = [...this.#chosen]
    const positions = new Drawing(chosen.length, chosen.length, this.#question.random)
    return chosen.map(() => chosen[positions.next()] ?? 0)
  }
}

/** Of each two drawn the one with less load; where fewer could be drawn, those with the least. */
function lessLoaded(drawn: readonly number[], count: number, pool: PeerPool): readonly number[] {
  if (drawn.length <= count) return drawn
  if (drawn.length < count * CHOICES) return drawn.toSorted((a, b) => pool.load(a) - pool.load(b))
  const chosen: number[] = []
  for (let at = 0; at + 1 < drawn.length; at += CHOICES) {
    const [first = 0, second = 0] = [drawn[at], drawn[at + 1]]
    chosen.push(pool.load(first) <= pool.load(second) ? first : second)
  }
  return chosen
}
