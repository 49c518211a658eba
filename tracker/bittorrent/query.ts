/** The query of an HTTP announce or scrape (BEP 3): percent-encoded bytes, of which text decoders would make something else. */

const HASH_BYTES = 20
/** Pairs beyond this are not looked at. */
const MAX_PAIRS = 200
/** Longer values are none that anybody needs. */
const MAX_VALUE_CHARACTERS = 1_000

export type Query = ReadonlyMap<string, readonly string[]>

/** Names with their values as they came, still encoded. `+` is a byte like any other. */
export function readQuery(text: string): Query {
  const query = new Map<string, string[]>()
  let pairs = 0
  for (let at = 0; at < text.length && pairs < MAX_PAIRS; pairs++) {
    const ampersand = text.indexOf('&', at)
    const end = ampersand < 0 ? text.length : ampersand
    const equals = text.indexOf('=', at)
    if (equals >= at && equals < end && end - equals <= MAX_VALUE_CHARACTERS) {
      const name = text.slice(at, equals)
      const known = query.get(name)
      if (known) known.push(text.slice(equals + 1, end))
      else query.set(name, [text.slice(equals + 1, end)])
    }
    at = end + 1
  }
  return query
}

/** 20 bytes as 40 hex digits; undefined for anything else. */
export function decodeId(encoded: string): string | undefined {
  let hex = ''
  let bytes = 0
  for (let at = 0; at < encoded.length; bytes++) {
    if (bytes === HASH_BYTES) return undefined
    const code = encoded.charCodeAt(at)
    if (code === PERCENT) {
      const digits = encoded.slice(at + 1, at + 3)
      if (!HEX_PAIR.test(digits)) return undefined
      hex += digits
      at += 3
    } else {
      if (code > 0xff) return undefined
      hex += HEX[code]
      at++
    }
  }
  return bytes === HASH_BYTES ? hex.toLowerCase() : undefined
}

/** A value as text; undefined when it is not encoded well. */
export function decodeText(encoded: string | undefined): string | undefined {
  try {
    return encoded === undefined ? undefined : decodeURIComponent(encoded)
  } catch {
    return undefined
  }
}

const PERCENT = 0x25
const HEX_PAIR = /^[0-9a-fA-F]{2}$/
const HEX = Array.from({ length: 256 }, (_, code) => code.toString(16).padStart(2, '0'))
