import type { ChildProcess } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { endChild } from './reporting-child.ts'

/** Bytes that each host has received and sent so far, in the order in which the hosts were added. */
export interface TrafficSample {
  /** Milliseconds since the epoch. */
  at: number
  received: number[]
  sent: number[]
}

/** Watches the links of a lab all along. */
export interface Traffic {
  /** Ends it, and writes a file (JSON): all samples, and what else belongs to them. */
  keep(path: string, fields: object): Promise<void>
}

const EVERY_MS = 50
const SAMPLER = `
const { readFileSync } = require('node:fs')
setInterval(() => {
  const received = [], sent = []
  for (const line of readFileSync('/proc/net/dev', 'utf8').split('\\n')) {
    const match = /^\\s*v(\\d+):\\s*(.*)$/.exec(line)
    if (!match) continue
    const fields = match[2].trim().split(/\\s+/).map(Number)
    // what the switch's port sends, the host receives
    sent[match[1]] = fields[0]
    received[match[1]] = fields[8]
  }
  process.stdout.write(JSON.stringify({ at: Date.now(), received, sent }) + '\\n')
}, ${EVERY_MS})
`

/** @param spawn - runs a program where all links of the lab meet */
export function watchTraffic(spawn: (command: string, args: readonly string[]) => ChildProcess): Traffic {
  const samples: TrafficSample[] = []
  const child = spawn(process.execPath, ['-e', SAMPLER])
  if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => samples.push(JSON.parse(line) as TrafficSample))
  return {
    async keep(path, fields) {
      await endChild(child)
      await writeFile(path, JSON.stringify({ ...fields, samples }))
    },
  }
}
