import { PantalaError } from '../../common/errors.ts'
import { isDigest, type Digest } from '../../common/oci/digest.ts'

/** What `pantala get` was asked for. */
export type Source = { kind: 'digest'; digest: Digest } | { kind: 'torrent-file'; path: string } | { kind: 'torrent-url'; url: string } | { kind: 'url'; url: string }

/** @throws {PantalaError} `BAD_SOURCE` */
export function parseSource(text: string): Source {
  if (isDigest(text)) return { kind: 'digest', digest: text }
  if (/^https?:\/\//.test(text) && URL.canParse(text)) {
    return new URL(text).pathname.endsWith('.torrent') ? { kind: 'torrent-url', url: text } : { kind: 'url', url: text }
  }
  if (text.endsWith('.torrent')) return { kind: 'torrent-file', path: text }
  throw new PantalaError('BAD_SOURCE', `expected an http(s) URL, sha256:<64 hex digits> or a .torrent, got ${JSON.stringify(text.slice(0, 100))}`, { status: 400 })
}

/** A file name for a URL: its last path segment. */
export function nameOfUrl(url: string): string {
  const last = new URL(url).pathname.split('/').at(-1) ?? ''
  try {
    const name = decodeURIComponent(last)
    return name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0') ? 'download' : name
  } catch {
    return 'download'
  }
}
