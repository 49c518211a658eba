import { PantalaError } from '../../common/errors.ts'
import type { UnitEvent } from '../engine.ts'
import type { Assembly } from './assembly.ts'
import type { Peer } from './peer.ts'
import { sourcesOf } from './sources.ts'
import { Suspects } from './suspects.ts'
import type { Units } from './units.ts'

export interface IntakeOptions {
  units: Units
  /** A unit is stored. */
  onStored: (event: UnitEvent, bytes: number) => void
  onLiar: (peer: Peer) => void
  onWaste: (bytes: number) => void
  /** The storage has failed. */
  onFailure: (error: unknown) => void
  /** The unit's buffer is free again; there may be more to ask for. */
  onSettled: (assembly: Assembly<Peer>) => void
}

/** Checks whole units, stores what is right, and finds out who sent what is wrong. */
export class Intake {
  readonly #options: IntakeOptions
  readonly #suspects = new Suspects<Peer>()

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  async take(assembly: Assembly<Peer>): Promise<void> {
    const { units, onStored, onLiar, onFailure, onSettled } = this.#options
    const { index, size } = assembly
    try {
      const digest = assembly.digest()
      units.check(index, size, digest)
      for (const liar of this.#suspects.matched(index, assembly.bytes())) onLiar(liar)
      if (await units.store(index, assembly.bytes(), digest)) onStored({ index, sources: sourcesOf(assembly) }, size)
    } catch (error) {
      if (error instanceof PantalaError && error.code === 'UNIT_MISMATCH') this.#mismatch(assembly)
      else onFailure(error)
    } finally {
      onSettled(assembly)
    }
  }

  /** It came wrong from several peers: the next time it has to come from one alone. */
  contested(unit: number): boolean {
    return this.#suspects.contested(unit)
  }

  #mismatch(assembly: Assembly<Peer>): void {
    const { onWaste, onLiar } = this.#options
    onWaste(assembly.size)
    for (const liar of this.#suspects.failed(assembly)) onLiar(liar)
  }
}
