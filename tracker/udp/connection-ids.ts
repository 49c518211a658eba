import { createHmac, randomBytes } from 'node:crypto'

/** BEP 15: an id may be used for a minute after it was received, and is honoured for two. */
const SLOT_MS = 60_000

/** Connection ids that only somebody who receives at an address can know; nothing is kept for those that were given out. */
export interface ConnectionIds {
  issue(address: string, port: number): bigint
  valid(connectionId: bigint, address: string, port: number): boolean
}

export function createConnectionIds(now: () => number, key: Uint8Array = randomBytes(32)): ConnectionIds {
  const idOf = (address: string, port: number, slot: number): bigint => createHmac('sha256', key).update(`${slot} ${port} ${address}`).digest().readBigUInt64BE(0)
  const slotNow = (): number => Math.floor(now() / SLOT_MS)
  return {
    issue: (address, port) => idOf(address, port, slotNow()),
    valid(connectionId, address, port) {
      const slot = slotNow()
      return connectionId === idOf(address, port, slot) || connectionId === idOf(address, port, slot - 1)
    },
  }
}
