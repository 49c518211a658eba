import { readFile } from 'node:fs/promises'
import { PARSERS, reasonOf } from '../../common/config/kinds.ts'
import { PantalaError, systemCode } from '../../common/errors.ts'
import { formatHostPort } from '../../common/http/address.ts'
import { createHttpClient, readBody, redactUrl, type HttpClient } from '../../common/http/client.ts'
import { parseDigest, type Digest } from '../../common/oci/digest.ts'
import { MAX_TORRENT_BYTES, parseInfo, parseTorrent, type TorrentInfo } from '../../swarm/parse-metainfo.ts'
import type { PeerAddress } from '../../swarm/engine.ts'
import { infoOfRecord } from '../../swarm/record-info.ts'
import type { Command, CommandContext } from '../command.ts'
import { EXIT, isUnreachable } from '../exit-codes.ts'
import { findRecord } from '../get/find-record.ts'
import { getFromSwarm } from '../get/from-swarm.ts'
import { getFromUrl } from '../get/from-url.ts'
import { nameOfUrl, parseSource, type Source } from '../get/source.ts'
import { openTarget, type Target } from '../get/target.ts'
import { createProgress, type Progress } from '../progress.ts'
import { loadSettings, type ServiceSettings } from '../settings.ts'

const DEFAULT_TIMEOUT = '30s'

export const getCommand: Command = {
  name: 'get',
  usage: 'SOURCE -o PATH [FLAGS]',
  summary: 'Downloads a file: a digest or a .torrent through the swarm, an http(s) URL from its origin.',
  settings: { nodes: ['agent.nodes'], 'log-level': ['log.level'] },
  own: {
    output: { value: 'PATH', short: 'o', description: 'Target file, or a folder that gets it; put in place once everything is verified' },
    digest: { value: 'sha256:…', description: 'What the file must have' },
    timeout: { value: 'DURATION', description: `Given up when nothing comes for this long (default ${DEFAULT_TIMEOUT})` },
    quiet: { short: 'q', description: 'No progress' },
  },
  positionals: [1, 1],
  run: get,
}

interface Wanted {
  name: string
  digest: Digest | undefined
  fetch(target: Target, progress: Progress): Promise<Digest>
}

async function get(context: CommandContext): Promise<number> {
  const source = parseSource(context.positionals[0] ?? '')
  const output = context.own.get('output')
  if (output === undefined) throw new PantalaError('USAGE', 'get needs a target: -o PATH', { status: 400 })
  const timeoutMs = duration(context.own.get('timeout') ?? DEFAULT_TIMEOUT)
  const asked = context.own.get('digest')
  const digest = asked === undefined ? undefined : parseDigest(asked)
  const loaded = await loadSettings({ ...context, flags: quietUnlessAsked(context) })
  const http = createHttpClient({ connectMs: timeoutMs, headersMs: timeoutMs, idleMs: timeoutMs })
  try {
    const wanted = await resolveSource(source, digest, { http, loaded, timeoutMs })
    return await download(wanted, output, context.own.has('quiet'))
  } finally {
    await http.close()
  }
}

async function download(wanted: Wanted, output: string, quiet: boolean): Promise<number> {
  const target = await openTarget(output, wanted.name)
  const progress = quiet ? { update() {}, finish() {} } : createProgress(wanted.name)
  try {
    const digest = await wanted.fetch(target, progress)
    progress.finish()
    await target.finish()
    process.stdout.write(`${digest}  ${target.path}\n`)
    return EXIT.ok
  } catch (error) {
    progress.finish()
    // wrong bytes are worth nothing; what is merely unfinished is resumed by the next attempt
    await target.close(!(error instanceof PantalaError && error.code === 'DIGEST_MISMATCH'))
    throw error
  }
}

interface Tools {
  http: HttpClient
  loaded: ServiceSettings
  timeoutMs: number
}

async function resolveSource(source: Source, digest: Digest | undefined, tools: Tools): Promise<Wanted> {
  switch (source.kind) {
    case 'url':
      return {
        name: nameOfUrl(source.url),
        digest,
        fetch: (target, progress) => getFromUrl({ url: source.url, target, digest, timeoutMs: tools.timeoutMs, progress }),
      }
    case 'torrent-file':
      return torrentWanted(await readFile(source.path).catch(unreadable(source.path)), digest, tools)
    case 'torrent-url': {
      const response = await tools.http.request(source.url)
      const body = await readBody(response, MAX_TORRENT_BYTES)
      if (response.status !== 200) throw new PantalaError('SOURCE_STATUS', `${redactUrl(source.url)} answered ${response.status}`)
      return torrentWanted(body, digest, tools)
    }
    case 'digest':
      return digestWanted(source.digest, digest, tools)
  }
}

function torrentWanted(bytes: Uint8Array, digest: Digest | undefined, tools: Tools): Wanted {
  const torrent = parseTorrent(bytes)
  return swarmWanted({ torrent, announce: torrent.announce, peers: [], digest }, tools)
}

async function digestWanted(digest: Digest, also: Digest | undefined, tools: Tools): Promise<Wanted> {
  const nodes = tools.loaded.settings['agent.nodes']
  if (also !== undefined && also !== digest) throw new PantalaError('DIGEST_MISMATCH', `--digest ${also} is not the digest that was asked for`)
  let failure: unknown
  for (const node of nodes) {
    try {
      const { record, peers } = await findRecord(tools.http, node, digest, tools.timeoutMs)
      const torrent = parseInfo(infoOfRecord(record).info)
      return swarmWanted({ torrent, announce: nodes.map((each) => `http://${formatHostPort(each)}/announce`), peers, digest }, tools)
    } catch (error) {
      failure = error
    }
  }
  throw isUnreachable(failure)
    ? new PantalaError('NOBODY_ANSWERS', `no tracker answers at ${nodes.map(formatHostPort).join(', ')}: name one with --nodes`, { cause: failure })
    : failure
}

function swarmWanted(
  parts: { torrent: TorrentInfo; announce: readonly string[]; peers: readonly PeerAddress[]; digest: Digest | undefined },
  { loaded, timeoutMs }: Tools,
): Wanted {
  const { torrent, digest } = parts
  const name = digest !== undefined && torrent.name === digest ? digest.replace(':', '-') : torrent.name
  return { name, digest, fetch: (target, progress) => getFromSwarm({ ...parts, target, progress, timeoutMs, log: loaded.log }) }
}

function unreadable(path: string): (error: unknown) => never {
  return (error) => {
    throw new PantalaError('BAD_SOURCE', `cannot read ${path} (${systemCode(error) ?? 'unknown error'})`, { status: 400, cause: error })
  }
}

function duration(text: string): number {
  try {
    return PARSERS.duration(text)
  } catch (error) {
    throw new PantalaError('USAGE', `--timeout: ${reasonOf(error)}`, { status: 400 })
  }
}

/** A tool for people prints its own messages; its log speaks when it is asked to. */
export function quietUnlessAsked({ flags }: CommandContext): CommandContext['flags'] {
  return flags.has('log.level') ? flags : new Map([...flags, ['log.level', { text: 'error', flag: '--log-level' }]])
}
