import { mkdirSync } from 'node:fs'
import { createStream } from 'rotating-file-stream'
import { digestHex, type Digest } from '../../common/oci/digest.ts'
import type { Service } from '../../common/lifecycle.ts'
import { errorFields, type Logger } from '../../common/log.ts'
import { PIECE_LENGTH } from '../../swarm/metainfo.ts'
import { unitSpan } from '../../common/store/units.ts'
import type { PieceShare, PieceSource } from './piece-ledger.ts'

/** The door to `rotating-file-stream`. */

const LOG_NAME = 'dfclient.log'
const MAX_LOG_SIZE = '50M'
const MAX_LOG_FILES = 5
/** Dragonfly's numbers for a piece that was taken over. */
const RESULT = 503
const STATUS = 701

/** The log that says of each piece who gave it, in the words that Dragonfly's users grep for. */
export interface PieceLog extends Service {
  write(blob: { digest: Digest; length: number }, shares: readonly PieceShare[]): void
}

export interface PieceLogOptions {
  /** Folder of `dfclient.log`. */
  dir: string
  /** The supernode's address, for the lines. */
  superNode: () => string
  log: Logger
}

export function createPieceLog({ dir, superNode, log }: PieceLogOptions): PieceLog {
  let stream: ReturnType<typeof createStream> | undefined
  return {
    async start() {
      if (stream) return
      mkdirSync(dir, { recursive: true })
      stream = createStream(LOG_NAME, { path: dir, size: MAX_LOG_SIZE, maxFiles: MAX_LOG_FILES })
      stream.on('error', (error: Error) => log.warn({ error: errorFields(error) }, 'the piece log cannot be written'))
    },
    write(blob, shares) {
      const now = new Date()
      for (const share of shares) stream?.write(`${formatShare(blob, share, superNode(), now)}\n`)
    },
    async stop() {
      const closing = stream
      stream = undefined
      if (closing) await new Promise<void>((resolve) => closing.end(resolve))
    },
  }
}

/** One line; `range` is what that source gave of the piece. */
export function formatShare({ digest, length }: { digest: Digest; length: number }, { piece, source, span }: PieceShare, superNode: string, now: Date): string {
  const taskID = digestHex(digest)
  const { start, end } = unitSpan(piece, length, PIECE_LENGTH)
  const range = `${span.start}-${span.end - 1}`
  const head = `${localTime(now)} INFO sign:${process.pid}-${(now.getTime() / 1000).toFixed(3)} : `
  if (source.kind === 'upstream') {
    return `${head}downloading from source:${JSON.stringify({ taskID, registry: source.registry, range, pieceSize: end - start, pieceNum: piece })}`
  }
  const fields = { taskID, superNode, dstCid: dstCid(source, taskID), range, result: RESULT, status: STATUS, pieceSize: end - start, pieceNum: piece }
  return `${head}downloading piece:${JSON.stringify(fields)}`
}

function dstCid(source: Exclude<PieceSource, { kind: 'upstream' }>, taskID: string): string {
  return source.kind === 'seeder' ? `cdnnode:${source.ip}~${taskID}` : `${source.ip}-${source.port}-${source.peerId}`
}

function localTime(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const date = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`
  return `${date} ${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}.${String(now.getMilliseconds()).padStart(3, '0')}`
}
