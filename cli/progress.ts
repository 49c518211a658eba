/** Progress on standard error: one line that is rewritten on a terminal, else a plain line every few seconds. */

export interface ProgressState {
  done: number
  total: number | undefined
  /** Connected peers, where there are any. */
  peers?: number
}

export interface Progress {
  update(state: ProgressState): void
  /** Prints the last state. */
  finish(): void
}

export interface ProgressOutput {
  write(text: string): unknown
  isTTY?: boolean | undefined
  columns?: number | undefined
}

const TERMINAL_EVERY_MS = 100
const PLAIN_EVERY_MS = 5_000
/** The rate is that of the last seconds. */
const RATE_WINDOW_MS = 5_000
const DEFAULT_COLUMNS = 80
/** A name of fewer characters says nothing. */
const MIN_LABEL = 8

export function createProgress(label: string, output: ProgressOutput = process.stderr, now: () => number = () => performance.now()): Progress {
  const terminal = output.isTTY === true
  const every = terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS
  const samples: { at: number; done: number }[] = []
  let shownAt = terminal ? -Infinity : now()
  let last: ProgressState | undefined

  const show = (state: ProgressState): void => {
    const text = progressText(state, rateOf(samples))
    output.write(terminal ? `\r${fitted(label, text, (output.columns || DEFAULT_COLUMNS) - 1)}\x1b[K` : `${label}  ${text}\n`)
  }
  return {
    update(state) {
      last = state
      const at = now()
      samples.push({ at, done: state.done })
      while (samples.length > 2 && at - (samples[0]?.at ?? at) > RATE_WINDOW_MS) samples.shift()
      if (at - shownAt < every) return
      shownAt = at
      show(state)
    },
    finish() {
      if (last) show(last)
      if (last && terminal) output.write('\n')
      last = undefined
    },
  }
}

/** Label and text in one line of so many columns: a long name is shortened in the middle, the numbers stay. */
function fitted(label: string, text: string, columns: number): string {
  const room = columns - text.length - 2
  if (room >= label.length) return `${label}  ${text}`
  if (room < MIN_LABEL) return text.slice(0, Math.max(0, columns))
  const head = Math.ceil((room - 1) / 2)
  return `${label.slice(0, head)}…${label.slice(label.length - (room - 1 - head))}  ${text}`
}

/** `45%  1.2 GiB of 2.7 GiB  80 MiB/s  3 peers  ETA 0:19` */
export function progressText({ done, total, peers }: ProgressState, rate: number): string {
  const share = total === undefined ? '' : `${total === 0 ? 100 : Math.floor((done / total) * 100)}%  `
  const amount = total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`
  const who = peers === undefined ? '' : `  ${peers} peer${peers === 1 ? '' : 's'}`
  const left = total === undefined || rate <= 0 || done >= total ? '' : `  ETA ${formatSeconds((total - done) / rate)}`
  return `${share}${amount}  ${formatBytes(rate)}/s${who}${left}`
}

function rateOf(samples: readonly { at: number; done: number }[]): number {
  const first = samples[0]
  const last = samples.at(-1)
  return first && last && last.at > first.at ? ((last.done - first.done) / (last.at - first.at)) * 1000 : 0
}

/** `4.0 MiB` */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`
}

function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds)
  const rest = String(whole % 60).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${rest}`
}

/** `850 ms`, `2.4 s`, `3 min 20 s` */
export function formatMs(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1_000)} s`
}
