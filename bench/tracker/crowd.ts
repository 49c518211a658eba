import { randomBytes } from 'node:crypto'

/** Made-up peers and swarms. */
export interface Crowd {
  peers: readonly { id: string; port: number }[]
  swarms: readonly string[]
}

export function createCrowd(peers: number, swarms: number): Crowd {
  return {
    peers: Array.from({ length: peers }, (_, index) => ({
      id: Buffer.from(`-PA0100-${String(index).padStart(12, '0')}`, 'latin1').toString('hex'),
      port: 1024 + (index % 60_000),
    })),
    swarms: Array.from({ length: swarms }, () => randomBytes(20).toString('hex')),
  }
}

/** The swarms of a peer: everybody is in equally many, and swarms are equally large. */
export function swarmsOf(crowd: Crowd, peer: number, each: number): string[] {
  const { swarms } = crowd
  return Array.from({ length: each }, (_, index) => swarms[(peer * each + index) % swarms.length] ?? '')
}

/** Every fifth lacks something, in each swarm. */
export function leftOf(peer: number): number {
  return (Math.imul(peer, 2_654_435_761) >>> 16) % 5 === 0 ? 500_000 : 0
}

export function percent(hex: string): string {
  return hex.replace(/../g, '%$&')
}
