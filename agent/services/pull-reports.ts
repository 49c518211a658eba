import { randomBytes } from 'node:crypto'
import { MAX_FALLS, type Fall, type PullReport } from '../../common/api/reports.ts'
import { PantalaError } from '../../common/errors.ts'
import type { Clock } from '../../common/lifecycle.ts'
import type { BlobRequest } from '../../common/oci/registry-backend.ts'
import type { UnitEvent } from '../../swarm/engine.ts'
import { createSourceTally } from '../../swarm/transfer.ts'
import type { Share } from './piece-ledger.ts'

/** Blobs that this node has fetched, and failed to fetch, since its start. */
export interface PullCounts {
  complete: number
  failed: number
  /** Bytes that came twice or wrong. */
  wasted: number
}

/** Gathers what is to be reported of one blob on its way. */
export interface PullRecorder {
  /** A unit has been verified. */
  unit(shares: readonly Share[]): void
  /** The swarm has brought a unit. */
  swarmUnit(event: UnitEvent): void
  /** Another rung than the swarm is asked. */
  fell(rung: Fall['rung'], reason: string): void
  /** @param error - why it failed; undefined when the whole is there */
  end(wasted: number, error?: unknown): void
}

export interface PullReports {
  readonly counts: Readonly<PullCounts>
  begin(request: Pick<BlobRequest, 'digest' | 'registry' | 'repository'>, init: PullInit): PullRecorder
}

export interface PullInit {
  length: number
  /** When it was asked for, monotonic milliseconds. */
  begun: number
  /** It comes from the seeder by HTTP because it is small: that is no fall. */
  small: boolean
}

/** Codes come from other parts, too. */
const CODE = /^[A-Z][A-Z0-9_]{0,63}$/

export interface PullReportsOptions {
  clock: Clock
  send: (report: PullReport) => void
}

export function createPullReports({ clock, send }: PullReportsOptions): PullReports {
  const counts: PullCounts = { complete: 0, failed: 0, wasted: 0 }
  return {
    counts,
    begin({ digest, registry, repository }, { length, begun, small }) {
      const bytes = { peer: 0, seeder: 0, upstream: 0 }
      const tally = createSourceTally()
      const falls = new Map<string, Fall>()
      let firstByteMs: number | undefined
      return {
        unit(shares) {
          firstByteMs ??= Math.round(clock.monotonic() - begun)
          for (const { source, spans } of shares) for (const { start, end } of spans) bytes[source.kind] += end - start
        },
        swarmUnit: ({ sources }) => tally.add(sources),
        fell(rung, code) {
          if (small && rung === 'seeder') return
          const reason = CODE.test(code) ? code : 'OTHER'
          const key = `${rung} ${reason}`
          const known = falls.get(key)
          if (known) known.count++
          else if (falls.size < MAX_FALLS) falls.set(key, { rung, reason, count: 1 })
        },
        end(wasted, error) {
          const failed = error !== undefined
          counts[failed ? 'failed' : 'complete']++
          counts.wasted += wasted
          send({
            id: randomBytes(8).toString('hex'),
            digest,
            image: `${registry.name}/${repository}`,
            length,
            outcome: failed ? 'failed' : 'complete',
            ...(failed ? { code: codeOf(error) } : {}),
            at: clock.now(),
            ms: Math.round(clock.monotonic() - begun),
            ...(firstByteMs === undefined ? {} : { firstByteMs }),
            bytes: { ...bytes, wasted },
            falls: [...falls.values()],
            from: tally.largest(),
          })
        },
      }
    },
  }
}

function codeOf(error: unknown): string {
  return error instanceof PantalaError && CODE.test(error.code) ? error.code : 'INTERNAL'
}
