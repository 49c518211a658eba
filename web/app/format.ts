/** Numbers as people read them. Pure. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']
const STEP = 1024

/** A number and its unit apart, so that the unit can be set smaller. */
export interface Quantity {
  value: string
  unit: string
}

export function bytes(count: number): Quantity {
  let size = count
  let unit = 0
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= STEP
    unit++
  }
  return { value: unit === 0 ? String(Math.round(size)) : threeDigits(size), unit: UNITS[unit] ?? '' }
}

export function bytesText(count: number): string {
  const { value, unit } = bytes(count)
  return `${value} ${unit}`
}

export function rate(bytesPerSecond: number): Quantity {
  const { value, unit } = bytes(bytesPerSecond)
  return { value, unit: `${unit}/s` }
}

export function rateText(bytesPerSecond: number): string {
  const { value, unit } = rate(bytesPerSecond)
  return `${value} ${unit}`
}

export function count(number: number): string {
  return number.toLocaleString('en')
}

/** From 0 to 1. Never 100 % while something is missing, never 0 % when there is something. */
export function percent(share: number): Quantity {
  const whole = share >= 1 ? 100 : share <= 0 ? 0 : Math.min(99, Math.max(1, Math.round(share * 100)))
  return { value: String(whole), unit: '%' }
}

export function percentText(share: number): string {
  return `${percent(share).value} %`
}

export function duration(ms: number): Quantity {
  if (ms < 1_000) return { value: String(Math.round(ms)), unit: 'ms' }
  if (ms < 100_000) return { value: (ms / 1000).toFixed(ms < 10_000 ? 1 : 0), unit: 's' }
  return ms < 100 * 60_000 ? { value: String(Math.round(ms / 60_000)), unit: 'min' } : { value: threeDigits(ms / 3_600_000), unit: 'h' }
}

export function durationText(ms: number): string {
  const { value, unit } = duration(ms)
  return `${value} ${unit}`
}

/** How long ago, coarse enough not to flicker. */
export function ago(then: number, now: number): string {
  const seconds = Math.max(0, (now - then) / 1000)
  if (seconds < 10) return 'just now'
  if (seconds < 100) return `${Math.round(seconds / 10) * 10} s ago`
  return seconds < 6_000 ? `${Math.round(seconds / 60)} min ago` : seconds < 48 * 3_600 ? `${Math.round(seconds / 3_600)} h ago` : `${Math.round(seconds / 86_400)} d ago`
}

export function clockTime(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB')
}

/** The first digits of an id or digest are enough to tell it from others. */
export function shortId(text: string): string {
  const [kind, hex] = text.includes(':') ? text.split(':', 2) : [undefined, text]
  const short = (hex ?? '').slice(0, 12)
  return kind === undefined || !/^[0-9a-f]{40,}$/.test(hex ?? '') ? (kind === undefined ? short : text) : `${kind}:${short}`
}

/** Nodes' ids begin with their kind and version: what tells them apart stands at the end. */
export function shortNode(id: string): string {
  return `…${id.slice(-8)}`
}

export function hostPort(host: string, port: number | undefined): string {
  const shown = host.includes(':') ? `[${host}]` : host
  return port === undefined ? shown : `${shown}:${port}`
}

function threeDigits(size: number): string {
  return size >= 100 ? size.toFixed(0) : size >= 10 ? size.toFixed(1) : size.toFixed(2)
}
