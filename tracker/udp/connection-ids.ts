import { createHmac, randomBytes } from 'node:crypto'

/** BEP 15: an id may be used for a minute after it was received, and is honoured for two. */
const SLOT_MS = 60_000

/** Clients whose ids need not be worked out again: those that have shown that they receive. */
const MAX_KNOWN = 20_000

/** Connection ids that only somebody who receives at an address can know; nothing is kept for those that were merely given out. */
export interface ConnectionIds {
  issue(address: string, port: number): bigint
  valid(connectionId: bigint, address: string, port: number): boolean
}

export function createConnectionIds(now: () => number, key: Uint8Array = randomBytes(32)): ConnectionIds {
  const known = new Map<string, bigint>()
  let knownSlot = -1
  const idOf = (client: string, slot: number): bigint => createHmac('sha256', key).update(`${slot} ${client}`).digest().readBigUInt64BE(0)
  const slotNow = (): number => Math.floor(now() / SLOT_MS)
  return {
    issue: (address, port) => idOf(`${port} ${address}`, slotNow()),
    valid(connectionId, address, port) {
      const slot = slotNow()
      const client = `${port} ${address}`
      if (slot !== knownSlot || known.size >= MAX_KNOWN) known.clear()
      knownSlot = slot
      if (known.get(client) === connectionId) return true
      if (connectionId !== idOf(client, slot) && connectionId !== idOf(client, slot - 1)) return false
      known.set(client, connectionId)
      return true
    },
  }
}
