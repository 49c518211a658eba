import { isIPv6 } from 'node:net'
import { packIPv6 } from '../compact.ts'

/** Addresses that are remembered; those that were seen least lately are forgotten first. */
const MAX_ADDRESSES = 50_000
/** What an address may send at once, in seconds of its rate. */
const BURST_SECONDS = 3

/** Requests of one address within its rate. */
export interface RateLimit {
  /** Takes note of a request. @returns false when it is one too many */
  allow(address: string): boolean
}

/** @param rate - requests a second of one IPv4 address or IPv6 network of 64 bits */
export function createRateLimit(rate: number, now: () => number): RateLimit {
  const buckets = new Map<string, { tokens: number; at: number }>()
  const most = rate * BURST_SECONDS
  return {
    allow(address) {
      const key = keyOf(address)
      const time = now()
      const bucket = buckets.get(key) ?? { tokens: most, at: time }
      const tokens = Math.min(most, bucket.tokens + ((time - bucket.at) * rate) / 1000)
      buckets.delete(key)
      buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: time })
      if (buckets.size > MAX_ADDRESSES) buckets.delete(buckets.keys().next().value ?? '')
      return tokens >= 1
    },
  }
}

/** Whoever has one IPv6 address has 2^64 of them. */
function keyOf(address: string): string {
  return isIPv6(address) ? packIPv6(address).slice(0, 8).join('.') : address
}
