import { PantalaError } from '../common/errors.ts'
import type { ByteSpan } from '../common/store/units.ts'

export interface ScanLimits {
  maxBytes: number
  /** Dictionaries and lists within each other. */
  maxDepth: number
  /** Values in the whole input. */
  maxValues: number
}

const DIGIT_0 = 0x30
const DIGIT_9 = 0x39
const COLON = 0x3a
const DICTIONARY = 0x64
const END = 0x65
const INTEGER = 0x69
const LIST = 0x6c
const MINUS = 0x2d
/** Digits of a number or of a string's length; more than 2^63 needs. */
const MAX_DIGITS = 20

/**
 * Walks over a bencoded dictionary (BEP 3) without decoding it and without recursion.
 * @returns where the value of each key of the outermost dictionary stands
 * @throws {PantalaError} `BAD_BENCODE` (400) when it is malformed, has a key twice, exceeds a limit or leaves bytes over
 */
export function scanBencode(bytes: Uint8Array, limits: ScanLimits): Map<string, ByteSpan> {
  if (bytes.length > limits.maxBytes) throw bad(`expected at most ${limits.maxBytes} bytes, got ${bytes.length}`)
  if (bytes[0] !== DICTIONARY) throw bad('expected a dictionary')
  const found = new Map<string, ByteSpan>()
  const stack: Frame[] = [{ keyed: true, keys: new Set(), key: undefined, start: 0 }]
  let at = 1
  let values = 0
  for (let frame = stack.at(-1); frame; frame = stack.at(-1)) {
    if (++values > limits.maxValues) throw bad(`more than ${limits.maxValues} values`)
    const byte = bytes[at]
    if (byte === END) {
      if (frame.key !== undefined) throw bad(`no value for a key at byte ${at}`)
      stack.pop()
      at++
      closeValue(stack, found, at)
      continue
    }
    if (frame.keyed && frame.key === undefined) {
      const span = stringAt(bytes, at)
      const key = Buffer.from(bytes.subarray(span.start, span.end)).toString('latin1')
      if (frame.keys.has(key) || key === '__proto__') throw bad(`a key that is not allowed here at byte ${at}`)
      frame.keys.add(key)
      frame.key = key
      frame.start = span.end
      at = span.end
    } else if (byte === DICTIONARY || byte === LIST) {
      if (stack.length >= limits.maxDepth) throw bad(`nested deeper than ${limits.maxDepth}`)
      stack.push({ keyed: byte === DICTIONARY, keys: new Set(), key: undefined, start: at })
      at++
    } else {
      at = byte === INTEGER ? integerEnd(bytes, at) : stringAt(bytes, at).end
      closeValue(stack, found, at)
    }
  }
  if (at !== bytes.length) throw bad(`${bytes.length - at} bytes after its end`)
  return found
}

interface Frame {
  keyed: boolean
  keys: Set<string>
  /** The key whose value comes next. */
  key: string | undefined
  /** Where that value begins. */
  start: number
}

function closeValue(stack: readonly Frame[], found: Map<string, ByteSpan>, end: number): void {
  const parent = stack.at(-1)
  if (parent?.key === undefined) return
  if (stack.length === 1) found.set(parent.key, { start: parent.start, end })
  parent.key = undefined
}

function stringAt(bytes: Uint8Array, at: number): ByteSpan {
  const { value: length, end } = digitsAt(bytes, at)
  if (bytes[end] !== COLON) throw bad(`expected a string at byte ${at}`)
  const start = end + 1
  if (start + length > bytes.length) throw bad(`a string at byte ${at} ends after the input`)
  return { start, end: start + length }
}

function integerEnd(bytes: Uint8Array, at: number): number {
  const { end } = digitsAt(bytes, bytes[at + 1] === MINUS ? at + 2 : at + 1)
  if (bytes[end] !== END) throw bad(`expected an integer at byte ${at}`)
  return end + 1
}

function digitsAt(bytes: Uint8Array, at: number): { value: number; end: number } {
  let value = 0
  let end = at
  for (let byte = bytes[end]; byte !== undefined && byte >= DIGIT_0 && byte <= DIGIT_9; byte = bytes[++end]) {
    value = value * 10 + (byte - DIGIT_0)
    if (end - at >= MAX_DIGITS) throw bad(`a number of more than ${MAX_DIGITS} digits at byte ${at}`)
  }
  if (end === at) throw bad(`expected a digit at byte ${at}`)
  return { value, end }
}

function bad(why: string): PantalaError {
  return new PantalaError('BAD_BENCODE', `malformed bencoding: ${why}`, { status: 400 })
}
