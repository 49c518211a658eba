import bencode from 'bencode'
import { PantalaError } from '../common/errors.ts'
import { scanBencode, type ScanLimits } from './bencode-scan.ts'

/**
 * The door to the bencoding library (BEP 3 "bencoding"). Input is scanned first, because the library recurses without a
 * limit, reads past the end of a string and takes numbers that are none.
 */

export type BencodeDictionary = Record<string, unknown>

export function encodeBencode(value: BencodeDictionary): Uint8Array {
  return bencode.encode(value)
}

export interface DecodedDictionary {
  values: BencodeDictionary
  /** The bytes of a key's value exactly as they came; undefined when there is no such key at the top. */
  raw(key: string): Uint8Array | undefined
}

/**
 * Decodes one dictionary that fills the input exactly. Strings come as bytes.
 * @throws {PantalaError} `BAD_BENCODE` (400)
 */
export function decodeDictionary(bytes: Uint8Array, limits: ScanLimits): DecodedDictionary {
  const spans = scanBencode(bytes, limits)
  const values = bencode.decode(bytes)
  if (!isDictionary(values)) throw new PantalaError('BAD_BENCODE', 'expected a bencoded dictionary', { status: 400 })
  return {
    values,
    raw(key) {
      const span = spans.get(key)
      return span && bytes.subarray(span.start, span.end)
    },
  }
}

export function isDictionary(value: unknown): value is BencodeDictionary {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)
}
