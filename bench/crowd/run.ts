import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { PeerAddress } from '../../swarm/engine.ts'
import type { Order, Report, WorkerTask } from './messages.ts'
import { schedule } from './schedule.ts'

/**
 * A crowd: many real engines in a few processes over loopback, each shaped by its own upload and download limits; some come late,
 * some leave in the middle. A list in this process stands for the tracker. Prints whether everybody has got every byte, how long
 * anybody waited for a first block, and what the seeder sent.
 */

const { values } = parseArgs({
  options: {
    members: { type: 'string', default: '200' },
    late: { type: 'string', default: '50' },
    leavers: { type: 'string', default: '20' },
    mbit: { type: 'string', default: '5' },
    mib: { type: 'string', default: '16' },
    unit: { type: 'string', default: '131072' },
    processes: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
})
/** What a tracker names at a time, and how often it is asked. */
const PEERS_NAMED = 50
const ANNOUNCE_MS = 10_000
const LIMIT_MS = 170_000
const MAX_CONNECTIONS = 200
const WAIT_TARGET_MS = 2_000

const size = Number(values.mib) * 1024 * 1024
const rate = (Number(values.mbit) * 1e6) / 8
const boundMs = (size / rate) * 1000
const members = Number(values.members)
const SEEDER = members

let state = Number(values.seed)
/** Park and Miller's generator: the same crowd for the same seed. */
function random(): number {
  state = (state * 48271) % 2147483647
  return state / 2147483647
}

interface Seen {
  joined?: number
  served?: number
  done?: number
  left?: Extract<Report, { kind: 'left' }>
  failed?: string
}

const seen = new Map<number, Seen>()
const online = new Map<number, PeerAddress>()
const ended: Extract<Report, { kind: 'ended' }>[] = []
let changed = (): void => {}

function note(report: Report): void {
  if (report.kind === 'ended') ended.push(report)
  else {
    const known = seen.get(report.member) ?? {}
    seen.set(report.member, known)
    if (report.kind === 'joined') {
      known.joined = report.at
      online.set(report.member, report.address)
    } else if (report.kind === 'left') known.left = report
    else if (report.kind === 'failed') known.failed = report.why
    else known[report.kind] = report.at
  }
  changed()
}

const task: WorkerTask = { size, unit: Number(values.unit), rate, maxConnections: MAX_CONNECTIONS }
const workers: ChildProcess[] = Array.from({ length: Number(values.processes) }, () => fork(join(import.meta.dirname, 'worker.ts'), [JSON.stringify(task)]))
for (const worker of workers) worker.on('message', note)

function tell(member: number, order: Order): void {
  workers[member % workers.length]?.send(order)
}

/** The seeder and some of the others. */
function named(member: number): PeerAddress[] {
  const others = [...online].filter(([other]) => other !== member && other !== SEEDER).map(([, address]) => ({ address, at: random() }))
  const seeder = online.get(SEEDER)
  const some = others
    .sort((a, b) => a.at - b.at)
    .slice(0, PEERS_NAMED - 1)
    .map(({ address }) => address)
  return seeder && member !== SEEDER ? [seeder, ...some] : some
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Promise.race([new Promise<void>((resolve) => (changed = resolve)), sleep(1_000)])
}

tell(SEEDER, { kind: 'join', member: SEEDER, role: 'seeder', peers: [] })
await until(() => online.has(SEEDER))
const visits = schedule({ members, late: Number(values.late), leavers: Number(values.leavers), boundMs, random })
const started = Date.now()
for (const { member, joinMs, leaveMs } of visits) {
  setTimeout(() => tell(member, { kind: 'join', member, role: 'agent', peers: named(member) }), joinMs)
  if (leaveMs === undefined) continue
  setTimeout(() => {
    online.delete(member)
    tell(member, { kind: 'leave', member })
  }, leaveMs)
}
const announce = setInterval(() => {
  for (const { member } of visits) if (online.has(member) && seen.get(member)?.done === undefined) tell(member, { kind: 'peers', member, peers: named(member) })
}, ANNOUNCE_MS)
const stayers = visits.filter(({ leaveMs }) => leaveMs === undefined)
await until(() => stayers.every(({ member }) => seen.get(member)?.done !== undefined) || Date.now() - started > LIMIT_MS)
clearInterval(announce)
for (const worker of workers) worker.send({ kind: 'end' } satisfies Order)
await Promise.all(workers.map((worker) => once(worker, 'exit')))

const of = (member: number): Seen => seen.get(member) ?? {}
const seconds = (ms: number): string => (ms / 1000).toFixed(2)
const sorted = (numbers: number[]): number[] => numbers.sort((a, b) => a - b)
const waits = sorted(visits.map(({ member }) => (of(member).served ?? Infinity) - (of(member).joined ?? 0)))
const takes = sorted(stayers.map(({ member }) => (of(member).done ?? Infinity) - (of(member).joined ?? 0)))
const last = Math.max(...stayers.map(({ member }) => of(member).done ?? Infinity)) - started
const median = (numbers: readonly number[]): number => numbers[numbers.length >> 1] ?? Number.NaN
const sent = (of(SEEDER).left?.uploaded ?? Number.NaN) / size
const exact = stayers.filter(({ member }) => of(member).done !== undefined && of(member).failed === undefined).length
const wasted = visits.reduce((sum, { member }) => sum + (of(member).left?.wasted ?? 0), 0) / (size * members)
const cpu = ended.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0)
console.log(
  `${members} engines in ${workers.length} processes, ${values.mbit} Mbit/s each way, ${values.mib} MiB in units of ${Number(values.unit) / 1024} KiB, ${values.late} late, ${values.leavers} leave; bound ${seconds(boundMs)} s; ${cpus().length} cores, Node ${process.versions.node}`,
)
console.log(`exact: ${exact} of ${stayers.length} who stayed`)
console.log(
  `first block after ${seconds(median(waits))} s (median), ${seconds(waits[Math.floor(waits.length * 0.95)] ?? Number.NaN)} s (95 %), ${seconds(waits.at(-1) ?? Number.NaN)} s (longest); ${waits.filter((ms) => ms > WAIT_TARGET_MS).length} waited more than ${WAIT_TARGET_MS / 1000} s`,
)
console.log(`seeder sent ${sent.toFixed(2)} of the size; for nothing ${(wasted * 100).toFixed(2)} %`)
console.log(`whole after ${seconds(median(takes))} s (median), ${seconds(takes.at(-1) ?? Number.NaN)} s (longest), counted from when each came; all done after ${seconds(last)} s`)
console.log(
  `CPU ${cpu.toFixed(0)} s in all; longest event loop delay ${Math.max(...ended.map(({ lagMs }) => lagMs)).toFixed(0)} ms (p99); ${(ended.reduce((sum, { rss }) => sum + rss, 0) / 1048576).toFixed(0)} MiB in all`,
)
