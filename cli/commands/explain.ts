import { describe, PantalaError } from '../../common/errors.ts'
import type { HostPort } from '../../common/http/address.ts'
import { createHttpClient, type HttpClient } from '../../common/http/client.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { blobReport } from '../explain/blob-report.ts'
import { meantBy } from '../explain/image-name.ts'
import { trackerQuestions, type TrackerQuestions } from '../explain/tracker-questions.ts'
import { formatBytes } from '../progress.ts'
import { loadSettings } from '../settings.ts'

const TIMEOUT_MS = 5_000
const DIGEST = /^(?:sha256:)?([0-9a-f]{64})$/

export const explainCommand: Command = {
  name: 'explain',
  usage: 'DIGEST|IMAGE [--nodes HOST[:8001],…]',
  summary: 'Says of a blob, or of each blob of an image, which node got it when, from whom, and why not from the swarm alone.',
  settings: { nodes: ['agent.nodes'], 'log-level': ['log.level'] },
  positionals: [1, 1],
  async run(context) {
    const { settings } = await loadSettings(context)
    const [subject = ''] = context.positionals
    const http = createHttpClient({ connectMs: TIMEOUT_MS, headersMs: TIMEOUT_MS, idleMs: TIMEOUT_MS })
    try {
      const tracker = await firstThatAnswers(http, settings['agent.nodes'])
      const hex = DIGEST.exec(subject)?.[1]
      const lines = hex === undefined ? await explainImage(tracker, subject) : await explainDigest(tracker, `sha256:${hex}`)
      process.stdout.write(`${lines.join('\n')}\n`)
      return EXIT.ok
    } finally {
      await http.close()
    }
  },
}

interface Answering extends TrackerQuestions {
  known: ReadonlyMap<string, string>
}

async function firstThatAnswers(http: HttpClient, nodes: readonly HostPort[]): Promise<Answering> {
  const reasons: string[] = []
  let cause: unknown
  for (const node of nodes) {
    const questions = trackerQuestions(http, node)
    try {
      return { ...questions, known: await questions.names() }
    } catch (error) {
      cause = error
      reasons.push(describe(error))
    }
  }
  throw new PantalaError('HTTP_UNREACHABLE', `no tracker answers: ${reasons.join('; ')}`, { status: 502, cause })
}

/** A digest may be a blob's or a manifest's. */
async function explainDigest(tracker: Answering, digest: string): Promise<string[]> {
  const image = await tracker.image(digest).catch((error: unknown) => {
    if (error instanceof PantalaError && error.code === 'IMAGE_UNKNOWN') return undefined
    throw error
  })
  if (image) return explainBlobs(tracker, `manifest ${digest}`, image.blobs)
  return explainBlob(tracker, digest, undefined)
}

async function explainImage(tracker: Answering, text: string): Promise<string[]> {
  const { search, fits } = meantBy(text)
  const found = await tracker.images(search)
  const [image, ...others] = found.filter(fits)
  if (!image) {
    const known = found.slice(0, 10).map(({ name, tag }) => (tag === undefined ? name : `${name}:${tag}`))
    const hint = known.length === 0 ? 'no seeder has served such an image since the tracker started' : `known are ${known.join(', ')}`
    throw new PantalaError('IMAGE_UNKNOWN', `expected a digest or an image that was pulled, got ${JSON.stringify(text)}: ${hint}`, { status: 404 })
  }
  const names = [image, ...others].map(({ name, tag }) => `${name}:${tag ?? ''}`)
  if (others.some(({ digest }) => digest !== image.digest)) throw new PantalaError('IMAGE_AMBIGUOUS', `several images are meant, name one: ${names.join(', ')}`, { status: 400 })
  const { blobs } = await tracker.image(image.digest)
  return explainBlobs(tracker, `image ${names[0]}  ${image.digest}`, blobs)
}

async function explainBlobs(tracker: Answering, title: string, blobs: readonly { digest: string; size: number }[]): Promise<string[]> {
  const lines = [`${title}  ${blobs.length} blobs, ${formatBytes(blobs.reduce((sum, { size }) => sum + size, 0))}`]
  for (const { digest, size } of blobs) lines.push('', ...(await explainBlob(tracker, digest, size)))
  return lines
}

async function explainBlob(tracker: Answering, digest: string, size: number | undefined): Promise<string[]> {
  const [pulls, found] = await Promise.all([tracker.pulls(digest), tracker.swarms(digest)])
  const swarms = await Promise.all(found.map(({ id }) => tracker.swarm(id)))
  return blobReport({ digest, length: size ?? swarms[0]?.length, pulls, swarms, names: tracker.known })
}
