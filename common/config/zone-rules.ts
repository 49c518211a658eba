import { isIP } from 'node:net'

/** A subnet whose nodes stand in one zone, and perhaps one rack of it. */
export interface ZoneRule {
  /** The subnet's address. */
  address: string
  /** Its prefix length in bits. */
  prefix: number
  zone: string
  rack?: string
}

/** What a zone or rack may be called. */
export const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/**
 * Reads `10.1.0.0/16=zone-a,10.1.2.0/24=zone-a/rack-2,…`.
 * @throws {Error} that says what was expected
 */
export function parseZoneRules(text: string): ZoneRule[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseRule)
}

function parseRule(text: string): ZoneRule {
  const [, address = '', prefixText, zone = '', rack] = /^([^/=]+)\/(\d{1,3})=([^/]+)(?:\/(.+))?$/.exec(text) ?? []
  const version = isIP(address)
  const prefix = Number(prefixText)
  const known = version !== 0 && prefix <= (version === 4 ? 32 : 128) && LABEL.test(zone) && (rack === undefined || LABEL.test(rack))
  if (!known) throw new Error(`expected SUBNET=ZONE or SUBNET=ZONE/RACK such as 10.1.0.0/16=zone-a, got ${JSON.stringify(text.slice(0, 80))}`)
  return { address, prefix, zone, ...(rack === undefined ? {} : { rack }) }
}
