import type { Logger } from '../../common/log.ts'
import type { UnitSource } from '../engine.ts'
import { createBlockLedger } from './block-ledger.ts'
import type { Torrent, Wire } from './client.ts'
import type { PeerLink } from './link.ts'
import { createTrust } from './trust.ts'

export interface SourcesOptions {
  torrent: Torrent
  /** Bytes in a unit. */
  unit: number
  /** Told of a peer that sent wrong data. */
  onLiar(peerId: string): void
  log: Logger
}

/** Watches who gives which block, to say so when a unit is verified and to find out who lied when it is not. */
export interface Sources {
  /** Bytes that came twice, unasked or wrong. */
  readonly wasted: number
  watch(link: PeerLink): void
  /** The peer is gone. */
  forget(link: PeerLink): void
  isBanned(peerId: string): boolean
  /** A unit is verified: who gave it. */
  take(index: number): UnitSource[]
  /** A unit came from elsewhere. */
  drop(index: number): void
}

export function createSources({ torrent, unit, onLiar, log }: SourcesOptions): Sources {
  const ledger = createBlockLedger<PeerLink>()
  const trust = createTrust()
  /** The pieces of which something has arrived. */
  const arriving = new Map<number, object>()
  let wasted = 0

  const request = torrent._request
  torrent._request = (wire, index, hotswap) => trust.mayAsk(index, wire.peerId) && request.call(torrent, wire, index, hotswap)

  const take = (index: number): UnitSource[] => {
    const piece = arriving.get(index)
    arriving.delete(index)
    const given = piece ? [...ledger.sources(piece)] : []
    const at = (offset: number): number => index * unit + offset
    return given.map(([link, spans]) => ({
      role: link.role,
      peerId: link.peerId,
      address: link.address(),
      spans: spans.map(({ start, end }) => ({ start: at(start), end: at(end) })),
    }))
  }

  torrent.on('warning', (warning: Error) => {
    const index = failedPiece(warning)
    if (index === undefined) return
    const sources = take(index)
    const bytes = sources.flatMap(({ spans }) => spans).reduce((sum, { start, end }) => sum + end - start, 0)
    wasted += bytes
    const peers = [...new Set(sources.map(({ peerId }) => peerId))]
    const liar = trust.failed(index, peers)
    log.warn({ index, peers, ...(liar === undefined ? {} : { banned: liar }) }, 'a unit did not match its hash')
    if (liar !== undefined) onLiar(liar)
  })

  return {
    get wasted() {
      return wasted
    },
    watch(link) {
      let used = false
      interceptBlocks(torrent, link.wire, (piece, index, offset, length) => {
        arriving.set(index, piece)
        used = ledger.record(piece, { start: offset, end: offset + length }, link)
      })
      link.wire.on('piece', (_index: number, _offset: number, block: Uint8Array) => {
        if (!used) wasted += block.length
        used = false
      })
      link.wire.on('choke', () => trust.release(link.peerId))
    },
    forget: (link) => trust.release(link.peerId),
    isBanned: (peerId) => trust.isBanned(peerId),
    take(index) {
      trust.verified(index)
      return take(index)
    },
    drop(index) {
      trust.verified(index)
      arriving.delete(index)
    },
  }
}

type OnBlock = (piece: object, index: number, offset: number, length: number) => void

/** Calls back for each block that was asked for and belongs to the present attempt at its piece. */
function interceptBlocks(torrent: Torrent, wire: Wire, onBlock: OnBlock): void {
  const request = wire.request
  wire.request = (index, offset, length, callback) => {
    const piece = torrent.pieces[index]
    request.call(wire, index, offset, length, (error, block) => {
      if (!error && block && piece && torrent.pieces[index] === piece) onBlock(piece, index, offset, block.length)
      callback(error, block)
    })
  }
}

function failedPiece(warning: Error): number | undefined {
  const match = /^Piece (\d+) failed verification$/.exec(warning.message)
  return match?.[1] === undefined ? undefined : Number(match[1])
}
