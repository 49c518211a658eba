import test from 'ava'
import { createProgress, formatBytes, progressText } from '../../cli/progress.ts'

function output(isTTY: boolean): { write(text: string): void; isTTY: boolean; columns: number; text: string } {
  return {
    text: '',
    isTTY,
    columns: 60,
    write(text) {
      this.text += text
    },
  }
}

test('a terminal gets one line that is rewritten, never wider than it is', (t) => {
  let now = 0
  const terminal = output(true)
  const progress = createProgress('a file with a rather long name that does not fit.bin', terminal, () => now)
  for (let i = 0; i <= 10; i++) {
    progress.update({ done: i * 1024 * 1024, total: 10 * 1024 * 1024, peers: 2 })
    now += 200
  }
  progress.finish()
  const lines = terminal.text.split('\r')
  t.true(lines.length > 10)
  t.is(terminal.text.split('\n').length, 2)
  for (const line of lines) t.true(line.replace('\x1b[K', '').trimEnd().length < 60)
  t.regex(lines.at(-1) ?? '', /^a fil…t\.bin {2}100% {2}10\.0 MiB of 10\.0 MiB {2}5\.0 MiB\/s {2}2 peers/, 'the name gives way to the numbers')
})

test('a terminal that does not know its width gets 80 columns', (t) => {
  const terminal = { ...output(true), columns: 0 }
  createProgress('f'.repeat(200), terminal, () => 0).update({ done: 1, total: 2 })
  t.is(terminal.text.replace('\r', '').replace('\x1b[K', '').length, 79)
})

test('elsewhere there is a plain line every five seconds, and a last one', (t) => {
  let now = 0
  const file = output(false)
  const progress = createProgress('f', file, () => now)
  for (; now < 11_000; now += 100) progress.update({ done: now * 100, total: 2_000_000, peers: 1 })
  progress.finish()
  progress.finish()
  t.deepEqual(file.text.split('\n').length, 4)
  t.false(file.text.includes('\r'))
})

test('it says share, amount, rate, peers and the time that is left', (t) => {
  const mib = 1024 * 1024
  t.is(progressText({ done: 45 * mib, total: 100 * mib, peers: 3 }, 10 * mib), '45%  45.0 MiB of 100.0 MiB  10.0 MiB/s  3 peers  ETA 0:06')
  t.is(progressText({ done: 10, total: undefined }, 0), '10 B  0 B/s')
  t.is(progressText({ done: 0, total: 0 }, 0), '100%  0 B of 0 B  0 B/s')
  t.is(progressText({ done: 0, total: 3600 * 1024, peers: 1 }, 512), '0%  0 B of 3.5 MiB  512 B/s  1 peer  ETA 2:00:00')
  t.is(formatBytes(1023), '1023 B')
  t.is(formatBytes(1536), '1.5 KiB')
})
