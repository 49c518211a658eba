import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from './folder.ts'
import { succeed } from './process.ts'

export interface Pulled {
  /** Digest of what the tag meant: a manifest or an index. */
  digest: string
  dir: string
  seconds: number
}

/** Pulls an image as a client with an empty store would; skopeo checks every digest. */
export async function pull(t: ExecutionContext, place: string, name: string, { all = false, netns }: { all?: boolean; netns?: string } = {}): Promise<Pulled> {
  const dir = await temporaryFolder(t)
  const started = performance.now()
  const args = ['copy', '-q', '--preserve-digests', ...(all ? ['--all'] : []), '--src-tls-verify=false', `docker://${place}/${name}`, `oci:${dir}:pulled`]
  if (netns === undefined) await succeed(t, 'skopeo', args)
  else await succeed(t, 'ip', ['netns', 'exec', netns, 'skopeo', ...args])
  const index = JSON.parse(await readFile(join(dir, 'index.json'), 'utf8')) as { manifests: { digest: string }[] }
  return { digest: index.manifests[0]?.digest ?? '', dir, seconds: (performance.now() - started) / 1000 }
}
