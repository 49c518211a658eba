import { createHash } from 'node:crypto'
import { parser, Type, type Static, DigestText } from '../api/schema.ts'
import { errorFields, type Logger } from '../log.ts'
import { LruMap } from '../lru-map.ts'
import type { MetaStore } from '../store/meta.ts'
import { parseDigest } from './digest.ts'
import { ANYBODY, type Claim } from './grant-table.ts'

/** A grant that is renewed all the time is written no more often. */
const WRITE_EVERY_MS = 10 * 60 * 1000
/** Manifests whose grants outlive a restart; of more, those that were granted last. */
const MAX_MANIFESTS = 10_000
/** Credentials that are kept for one manifest, those that were accepted last. */
const MAX_CREDENTIALS = 64

/** Grants of manifests on disk, so that a node that starts anew while a registry is down serves whom it served. */
export interface GrantLog {
  /**
   * Grants of earlier runs.
   * @param since - older ones are removed, except those of anybody
   */
  load(since: number): Promise<{ claim: Claim; at: number }[]>
  /** Writes a grant soon. */
  note(claim: Claim, at: number): void
  flush(): Promise<void>
}

const Entry = Type.Object({
  place: Type.String({ maxLength: 600 }),
  digest: DigestText,
  /** When whose credential was accepted. */
  accepted: Type.Record(Type.String(), Type.Number()),
})
type Entry = Static<typeof Entry>
const parseEntry = parser(Entry, 'grants')

export function createGrantLog(meta: MetaStore, log: Logger): GrantLog {
  const written = new LruMap<string, number>(MAX_MANIFESTS)
  let writing: Promise<void> = Promise.resolve()

  const read = async (key: string): Promise<Entry | undefined> => {
    const bytes = await meta.get('grants', key)
    if (!bytes) return undefined
    try {
      return parseEntry(JSON.parse(Buffer.from(bytes).toString('utf8')))
    } catch {
      // what a crash or another version left grants nothing
      return undefined
    }
  }

  const write = async (claim: Claim, at: number): Promise<void> => {
    const key = keyOf(claim)
    const { accepted } = (await read(key)) ?? { accepted: {} }
    const latest = Object.entries<number>({ ...accepted, [claim.who]: at }).toSorted(([, a], [, b]) => b - a)
    const entry: Entry = { place: claim.place, digest: claim.digest, accepted: Object.fromEntries(latest.slice(0, MAX_CREDENTIALS)) }
    await meta.put('grants', key, Buffer.from(JSON.stringify(entry)))
  }

  return {
    async load(since) {
      const found: { key: string; entry: Entry; latest: number }[] = []
      for (const key of await meta.keys('grants')) {
        const entry = await read(key)
        const accepted = Object.entries(entry?.accepted ?? {}).filter(([who, at]) => who === ANYBODY || at > since)
        if (!entry || accepted.length === 0) await meta.delete('grants', key)
        else found.push({ key, entry: { ...entry, accepted: Object.fromEntries(accepted) }, latest: Math.max(...accepted.map(([, at]) => at)) })
      }
      found.sort((a, b) => b.latest - a.latest)
      for (const { key } of found.slice(MAX_MANIFESTS)) await meta.delete('grants', key)
      return found
        .slice(0, MAX_MANIFESTS)
        .toReversed()
        .flatMap(({ entry: { place, digest, accepted } }) => Object.entries(accepted).map(([who, at]) => ({ claim: { who, place, digest: parseDigest(digest) }, at })))
    },
    note(claim, at) {
      const name = `${claim.who} ${keyOf(claim)}`
      if (at - (written.get(name) ?? -Infinity) < WRITE_EVERY_MS) return
      written.set(name, at)
      writing = writing
        .then(() => write(claim, at))
        .catch((error: unknown) => {
          written.delete(name)
          log.warn({ digest: claim.digest, error: errorFields(error) }, 'a grant cannot be written; it is lost with a restart')
        })
    },
    flush: () => writing,
  }
}

function keyOf({ place, digest }: Claim): string {
  return createHash('sha256').update(`${place}@${digest}`).digest('hex')
}
