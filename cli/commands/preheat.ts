import { setTimeout as sleep } from 'node:timers/promises'
import { PreheatJob } from '../../common/api/preheats.ts'
import { parser } from '../../common/api/schema.ts'
import { PantalaError } from '../../common/errors.ts'
import { createHttpClient, type HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import { readLocalSecret, SECRET_HEADER } from '../../common/local-secret.ts'
import type { Command, CommandContext } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { createProgress, formatBytes } from '../progress.ts'
import { loadSettings } from '../settings.ts'
import { quietUnlessAsked } from './get.ts'
import { LOCAL_SEEDER, seederOf } from './seed.ts'

const TIMEOUT_MS = 10_000
const ASK_EVERY_MS = 500
const SCOPES = ['seeder', 'agents'] as const
const parseJob = parser(PreheatJob, "the seeder's answer")
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386', arm: 'arm' }

export const preheatCommand: Command = {
  name: 'preheat',
  usage: 'IMAGE… [--platform P,…] [--scope seeder|agents] [--seeder HOST:PORT]',
  summary: 'Has a seeder fetch images, and all agents if wanted, before anybody asks; ends when everything is there.',
  settings: { data: ['seeder.data'], 'log-level': ['log.level'] },
  own: {
    platform: { value: 'OS/ARCH,…', description: `Platforms of multi-arch images, or all (default ${ownPlatform()})` },
    scope: { value: SCOPES.join('|'), description: 'Who is to have them: the seeder (default), or every agent as well' },
    seeder: { value: 'HOST:PORT', description: `Which seeder (default ${LOCAL_SEEDER})` },
    detach: { description: 'Returns as soon as the seeder has taken it on' },
  },
  positionals: [1, 100],
  async run(context) {
    const base = `http://${seederOf(context)}`
    const body = { images: context.positionals, scope: scopeOf(context), ...platformsOf(context) }
    const http = createHttpClient({ connectMs: TIMEOUT_MS, headersMs: TIMEOUT_MS, idleMs: TIMEOUT_MS })
    try {
      const job = await requestJson(http, `${base}/v1/preheats`, { method: 'POST', headers: await secretIfKnown(context), body, parse: parseJob })
      if (context.own.has('detach')) {
        process.stdout.write(`preheat ${job.id}: ${base}/v1/preheats/${job.id}\n`)
        return EXIT.ok
      }
      return report(await follow(http, base, job))
    } finally {
      await http.close()
    }
  },
}

function scopeOf({ own }: CommandContext): (typeof SCOPES)[number] {
  const text = own.get('scope') ?? 'seeder'
  const scope = SCOPES.find((each) => each === text)
  if (scope === undefined) throw new PantalaError('USAGE', `--scope: expected ${SCOPES.join(' or ')}, got ${JSON.stringify(text.slice(0, 40))}`, { status: 400 })
  return scope
}

function platformsOf({ own }: CommandContext): { platforms?: string[] } {
  const text = own.get('platform') ?? ownPlatform()
  return text === 'all' ? {} : { platforms: text.split(',').map((each) => each.trim()) }
}

function ownPlatform(): string {
  return `linux/${ARCHITECTURES[process.arch] ?? process.arch}`
}

/** Who may read the seeder's data folder may use its credentials; for public images nobody has to. */
async function secretIfKnown(context: CommandContext): Promise<Record<string, string>> {
  const loaded = await loadSettings({ ...context, flags: quietUnlessAsked(context) })
  return readLocalSecret(loaded.dataFolder('seeder.data')).then(
    (secret) => ({ [SECRET_HEADER]: secret }),
    () => ({}),
  )
}

async function follow(http: HttpClient, base: string, begun: PreheatJob): Promise<PreheatJob> {
  const progress = createProgress(`preheating ${begun.images.length === 1 ? begun.images[0] : `${begun.images.length} images`}`)
  let job = begun
  while (job.state === 'pending' || job.state === 'running') {
    progress.update({ done: job.bytes.done, total: job.bytes.total === 0 ? undefined : job.bytes.total })
    await sleep(ASK_EVERY_MS)
    job = await requestJson(http, `${base}/v1/preheats/${job.id}`, { parse: parseJob })
  }
  progress.update({ done: job.bytes.done, total: job.bytes.total })
  progress.finish()
  return job
}

function report({ state, images, blobs, bytes, agents, scope, problems }: PreheatJob): number {
  for (const problem of problems) process.stderr.write(`pantala: ${problem}\n`)
  const where = scope === 'agents' ? `, at ${agents.done} of ${agents.total} agents` : ''
  process.stdout.write(`${images.join(' ')}: ${state}, ${blobs.done} of ${blobs.total} blobs (${formatBytes(bytes.done)}) at the seeder${where}\n`)
  return state === 'succeeded' ? EXIT.ok : EXIT.failed
}
