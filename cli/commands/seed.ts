import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { SeedSummary } from '../../common/api/files.ts'
import { parser } from '../../common/api/schema.ts'
import { describe, PantalaError } from '../../common/errors.ts'
import { formatHostPort, isLoopback, isWildcard, parseHostPort, type HostPort } from '../../common/http/address.ts'
import { createHttpClient, readBody } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import { composeServices, onStop, type Service } from '../../common/lifecycle.ts'
import { readLocalSecret, SECRET_HEADER } from '../../common/local-secret.ts'
import { openStore } from '../../common/store/store.ts'
import { createSeeder, type Seeder } from '../../seeder/app.ts'
import { createTracker } from '../../tracker/app.ts'
import type { Command, CommandContext } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { advertises, listening, OPEN_MODE } from '../introduction.ts'
import { seederOptions, trackerOptions } from '../parts.ts'
import { createProgress } from '../progress.ts'
import { runService } from '../run-service.ts'
import { COMMON_FLAGS, loadSettings, type ServiceSettings } from '../settings.ts'
import { reachable } from '../supernode.ts'
import { quietUnlessAsked } from './get.ts'

const SEEDER_PORT = 8002
export const LOCAL_SEEDER = `127.0.0.1:${SEEDER_PORT}`
const MAX_TORRENT_BYTES = 64 * 1024 * 1024
const parseSummary = parser(SeedSummary, "the seeder's answer")

export const seedCommand: Command = {
  name: 'seed',
  usage: 'PATH… [FLAGS]',
  summary: 'Publishes files as torrents and seeds them until it is stopped; with a tracker of its own, unless --nodes names one.',
  settings: {
    nodes: ['seeder.nodes'],
    listen: ['tracker.listen'],
    'peer-listen': ['seeder.peerListen'],
    data: ['seeder.data'],
    'advertise-ip': ['seeder.advertiseIp', 'tracker.advertiseIp'],
    cluster: ['seeder.cluster', 'tracker.cluster'],
    ...COMMON_FLAGS,
  },
  own: {
    torrent: { value: 'FILE', description: 'Also writes the .torrent (of one PATH)' },
    detach: { description: 'Hands the files to the seeder of this machine and returns' },
    seeder: { value: 'HOST:PORT', description: `That seeder (default ${LOCAL_SEEDER})` },
  },
  positionals: [1, 1000],
  async run(context) {
    const paths = context.positionals.map((path) => resolve(path))
    if (context.own.has('torrent') && paths.length > 1) throw new PantalaError('USAGE', '--torrent takes one PATH', { status: 400 })
    return context.own.has('detach') ? handOver(context, paths) : seedHere(context, paths)
  },
}

/** `HOST:PORT` of `--seeder`. @throws {PantalaError} `USAGE` */
export function seederOf({ own }: CommandContext): string {
  try {
    return formatHostPort(parseHostPort(own.get('seeder') ?? LOCAL_SEEDER, SEEDER_PORT))
  } catch (error) {
    throw new PantalaError('USAGE', `--seeder: ${describe(error)}`, { status: 400 })
  }
}

/** What the seeder of this machine asks for before it publishes files, or ends that. */
export async function localSecretHeader(context: CommandContext): Promise<Record<string, string>> {
  const loaded = await loadSettings({ ...context, flags: quietUnlessAsked(context) })
  return { [SECRET_HEADER]: await readLocalSecret(loaded.dataFolder('seeder.data')) }
}

async function handOver(context: CommandContext, paths: readonly string[]): Promise<number> {
  const seeder = seederOf(context)
  const headers = await localSecretHeader(context)
  const http = createHttpClient({ connectMs: 5_000, headersMs: 24 * 60 * 60 * 1000, idleMs: 60_000 })
  try {
    for (const path of paths) {
      const summary = await requestJson(http, `http://${seeder}/v1/seeds`, { method: 'POST', headers, body: { path }, parse: parseSummary })
      await announce(summary, seeder, undefined, context.own.get('torrent'))
    }
    return EXIT.ok
  } finally {
    await http.close()
  }
}

async function seedHere(context: CommandContext, paths: readonly string[]): Promise<number> {
  const loaded = await loadSettings({ ...context, flags: quietUnlessAsked(context) })
  const { settings, log } = loaded
  const ownData = settings['seeder.data'] === undefined ? await mkdtemp(join(tmpdir(), 'pantala-seed-')) : undefined
  const parts: Service[] = ownData === undefined ? [] : [onStop(() => rm(ownData, { recursive: true, force: true }))]
  const store = await openStore({ dir: ownData ?? loaded.dataFolder('seeder.data'), log })
  parts.push(onStop(() => store.close()))
  const embedded = loaded.given.has('seeder.nodes') ? undefined : trackerOf(loaded)
  if (embedded) parts.push(embedded)
  let seeder: Seeder | undefined
  parts.push({
    async start() {
      const { httpListen: _noSecondPort, ...rest } = seederOptions(loaded)
      seeder = await createSeeder({ ...rest, watchRegistry: false, trackers: embedded ? [reachable(embedded.address)] : settings['seeder.nodes'], store })
      await seeder.start()
      for (const path of paths) await publish(seeder, path, loaded, embedded?.address, context.own.get('torrent'))
    },
    stop: async () => seeder?.stop(),
  })
  const lines = (): string[] => [
    ...(embedded ? [listening('tracker', embedded.address)] : []),
    ...(seeder ? [listening('peers', seeder.address)] : []),
    advertises(settings['seeder.advertiseIp'], seeder ? [seeder.address] : []),
    OPEN_MODE,
    'seeding; Ctrl-C ends it',
  ]
  return runService(composeServices(parts), lines, log)
}

function trackerOf(loaded: ServiceSettings): ReturnType<typeof createTracker> {
  return createTracker({ ...trackerOptions(loaded), cluster: loaded.settings['seeder.cluster'] })
}

async function publish(seeder: Seeder, path: string, { settings }: ServiceSettings, tracker: HostPort | undefined, torrentFile: string | undefined): Promise<void> {
  const progress = createProgress(`hashing ${basename(path)}`)
  const summary = await seeder.seeds.add(path, { onProgress: (done, total) => progress.update({ done, total }) })
  progress.finish()
  const host = settings['seeder.advertiseIp'] ?? (isWildcard(seeder.address.host) ? hostname() : seeder.address.host)
  const nodes = tracker ? [{ host: isLoopback(tracker.host) ? tracker.host : host, port: tracker.port }] : settings['seeder.nodes']
  await announce(summary, formatHostPort(reachable(seeder.address)), { seen: formatHostPort({ host, port: seeder.address.port }), nodes }, torrentFile)
}

/** Prints how others get the file. */
async function announce(summary: SeedSummary, seeder: string, outside: { seen: string; nodes: readonly HostPort[] } | undefined, torrentFile: string | undefined): Promise<void> {
  const { name, length, digest } = summary
  const torrentUrl = (place: string): string => `http://${place}/v1/blobs/${digest}.torrent`
  const nodes = outside ? ` --nodes ${outside.nodes.map(formatHostPort).join(',')}` : ''
  process.stdout.write(`${name}  ${length} bytes\n  digest   ${digest}\n  torrent  ${torrentUrl(outside?.seen ?? seeder)}\n  fetch    pantala get ${digest} -o ${name}${nodes}\n`)
  if (torrentFile === undefined) return
  const http = createHttpClient({ connectMs: 5_000, headersMs: 10_000, idleMs: 10_000 })
  try {
    const bytes = await readBody(await http.request(torrentUrl(seeder)), MAX_TORRENT_BYTES)
    await writeFile(torrentFile, bytes)
  } finally {
    await http.close()
  }
}
