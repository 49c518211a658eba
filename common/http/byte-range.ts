import type { ByteSpan } from '../store/units.ts'

/** What a `Range` header asks for (RFC 9110 §14). */
export type RangeRequest = { kind: 'whole' } | { kind: 'part'; span: ByteSpan } | { kind: 'unsatisfiable' }

/**
 * Reads a `Range` header against a body of `length` bytes. One range is honoured; several, other units and malformed
 * ones are ignored, as RFC 9110 §14.2 allows.
 */
export function parseRange(header: string | undefined, length: number): RangeRequest {
  const match = header === undefined ? null : /^bytes=\s*(\d*)-(\d*)\s*$/.exec(header)
  const [, first, last] = match ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return { kind: 'whole' }
  if (first === '') {
    const suffix = Number(last)
    if (suffix === 0 || length === 0) return { kind: 'unsatisfiable' }
    return { kind: 'part', span: { start: Math.max(0, length - suffix), end: length } }
  }
  const start = Number(first)
  const end = last === '' ? length : Math.min(Number(last) + 1, length)
  if (last !== '' && Number(last) < start) return { kind: 'whole' }
  if (start >= length) return { kind: 'unsatisfiable' }
  return { kind: 'part', span: { start, end } }
}

/** `Content-Range` of a 206: `bytes 0-1023/4096`. */
export function contentRange(span: ByteSpan, length: number): string {
  return `bytes ${span.start}-${span.end - 1}/${length}`
}

/**
 * The span and whole length that a `Content-Range` header names, or undefined when it is none (an unknown length,
 * `bytes 0-1/*`, included).
 */
export function parseContentRange(header: string | undefined): { span: ByteSpan; length: number } | undefined {
  const match = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(header ?? '')
  if (!match) return undefined
  const [start, last, length] = match.slice(1).map(Number) as [number, number, number]
  return start <= last && last < length ? { span: { start, end: last + 1 }, length } : undefined
}
