import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildInfo } from '../../swarm/metainfo.ts'
import { writeContent } from './content.ts'
import { busySeconds, Measured, type Usage } from './process.ts'
import type { Task } from './task.ts'

/**
 * One file from one process to another over loopback, from a file into a file, by each engine in turn. Ours download into the real
 * store and are done when SHA-256 over the whole has matched. Processor time and peak memory are read from outside, from the moment
 * at which the leecher is told whom to connect to.
 */

const { values } = parseArgs({
  options: {
    engine: { type: 'string', default: 'native,native-live,webtorrent,libtorrent' },
    mib: { type: 'string', default: '1024' },
    unit: { type: 'string', default: '4194304' },
    runs: { type: 'string', default: '3' },
    dir: { type: 'string', default: tmpdir() },
    /** Options for both Node processes, for example --cpu-prof. */
    node: { type: 'string', default: '' },
  },
})
const size = Number(values.mib) * 1024 * 1024
const unit = Number(values.unit)
const PYTHON = '/usr/bin/python3'
const SEEDER_PORT = 17_801
const LEECHER_PORT = 17_802

interface Result {
  seconds: number
  seeder: Usage
  leecher: Usage
  readBack: number | undefined
  lasting: number | undefined
  /** Processor seconds that went to others meanwhile; many make the run worthless. */
  others: number
}

const dir = await mkdtemp(join(values.dir, 'pantala-loopback-'))
try {
  await main()
} finally {
  await rm(dir, { recursive: true, force: true })
}

async function main(): Promise<void> {
  const [cpu] = cpus()
  console.log(
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpu?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}`,
  )
  console.log(`${values.mib} MiB in units of ${unit / 1024} KiB, one to one over loopback, medians of ${values.runs}`)
  await mkdir(join(dir, 'seed'))
  const content = join(dir, 'seed', 'content')
  const { digest, sha1, sha256 } = await writeContent(content, size, unit)
  await writeFile(join(dir, 'sha1'), sha1)
  await writeFile(join(dir, 'sha256'), sha256)
  const { info } = buildInfo({ length: size, name: 'content', pieceLength: unit, pieces: sha1, source: 'bench' })
  // info stands as it was built: its hash is the torrent's id
  await writeFile(join(dir, 'content.torrent'), Buffer.concat([Buffer.from('d4:info'), info, Buffer.from('e')]))
  const common = { size, unit, digest }
  const results = new Map<string, Result[]>()
  for (let run = 0; run < Number(values.runs); run++) {
    for (const engine of values.engine.split(',')) {
      const result = await measure(engine, common)
      results.set(engine, [...(results.get(engine) ?? []), result])
      console.log(`  ${row(engine, result)}`)
    }
  }
  console.log('medians')
  for (const [engine, runs] of results) console.log(`  ${row(engine, medians(runs))}`)
}

function start(engine: string, role: Task['role'], common: Pick<Task, 'size' | 'unit' | 'digest'>): Measured {
  const seeding = role === 'seeder'
  const path = seeding ? join(dir, 'seed', 'content') : join(dir, 'leech')
  const port = seeding ? SEEDER_PORT : LEECHER_PORT
  if (engine === 'libtorrent') {
    const folder = seeding ? join(dir, 'seed') : path
    const args = [join(import.meta.dirname, 'libtorrent_peer.py'), join(dir, 'content.torrent'), folder, String(port), ...(seeding ? [] : [String(SEEDER_PORT)])]
    return new Measured(PYTHON, args)
  }
  const live = engine === 'native-live'
  const task: Task = {
    ...common,
    engine: engine === 'webtorrent' ? 'webtorrent' : 'native',
    live,
    role,
    port,
    peerPort: SEEDER_PORT,
    hashes: join(dir, live ? 'sha256' : 'sha1'),
    path,
  }
  return new Measured(process.execPath, [...values.node.split(' ').filter(Boolean), join(import.meta.dirname, 'node.ts'), JSON.stringify(task)])
}

async function measure(engine: string, common: Pick<Task, 'size' | 'unit' | 'digest'>): Promise<Result> {
  await mkdir(join(dir, 'leech'))
  await touchMemory()
  const seeder = start(engine, 'seeder', common)
  const leecher = start(engine, 'leecher', common)
  try {
    await Promise.all([seeder.heard('ready'), leecher.heard('ready')])
    seeder.go()
    const busy = busySeconds()
    const started = performance.now()
    leecher.go()
    const { at, readBack } = await leecher.heard('done')
    const usage = { seeder: seeder.usage(), leecher: leecher.usage() }
    const others = busySeconds() - busy - usage.seeder.cpu - usage.leecher.cpu
    const lasting = engine === 'libtorrent' ? undefined : ((await leecher.heard('lasting')).at - at) / 1000
    return { seconds: (at - started) / 1000, ...usage, readBack, lasting, others }
  } finally {
    await Promise.all([seeder.stop(), leecher.stop()])
    await rm(join(dir, 'leech'), { recursive: true, force: true })
  }
}

/** Has the machine find memory for a file of this size: on a virtual one the first use of a page may cost ten times as much as writing it. */
async function touchMemory(): Promise<void> {
  const path = join(dir, 'touched')
  const file = await open(path, 'w')
  const bytes = Buffer.alloc(256 * 1024, 1)
  for (let at = 0; at < size; at += bytes.length) await file.write(bytes, 0, bytes.length, at)
  await file.close()
  await rm(path)
}

function row(engine: string, { seconds, seeder, leecher, readBack, lasting, others }: Result): string {
  const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(0)
  const side = ({ cpu, rss, mapped }: Usage): string => `${cpu.toFixed(2)} CPU-s ${mib(rss).padStart(4)} MiB (${mib(mapped)} mapped)`
  const more = [readBack === undefined ? '' : `read back ${mib(readBack)} MiB`, lasting === undefined ? '' : `on disk ${lasting.toFixed(2)} s later`]
  const both = (seeder.cpu + leecher.cpu).toFixed(2)
  return [
    engine.padEnd(11),
    `${(size / seconds / 1e6).toFixed(0).padStart(4)} MB/s`,
    `both ${both} CPU-s`,
    `leecher ${side(leecher)}`,
    `seeder ${side(seeder)}`,
    ...more,
    `others ${others.toFixed(1)} CPU-s`,
  ]
    .filter(Boolean)
    .join('  ')
}

function medians(runs: readonly Result[]): Result {
  const middle = (pick: (result: Result) => number | undefined): number | undefined => {
    const sorted = runs.flatMap((result) => pick(result) ?? []).sort((a, b) => a - b)
    return sorted[sorted.length >> 1]
  }
  const median = (pick: (result: Result) => number): number => middle(pick) ?? Number.NaN
  const side = (role: Task['role']): Usage => ({
    cpu: median((result) => result[role].cpu),
    rss: median((result) => result[role].rss),
    mapped: median((result) => result[role].mapped),
  })
  return {
    seconds: median(({ seconds }) => seconds),
    seeder: side('seeder'),
    leecher: side('leecher'),
    readBack: middle(({ readBack }) => readBack),
    lasting: middle(({ lasting }) => lasting),
    others: median(({ others }) => others),
  }
}
