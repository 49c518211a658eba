import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { LabHost } from '../network.ts'

const PORT = 5000
export const REPOSITORY = 'bench/app'
const TYPES = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
}

/** Debian's docker-registry on a host of its own. */
export interface UpstreamRegistry {
  readonly url: string
  readonly child: ChildProcess
  /** An image of layers of these sizes, not compressible, unlike any other. @returns its bytes, the manifest left out */
  addImage(tag: string, layerSizes: readonly number[]): Promise<number>
  /** Bytes of blobs in all answers so far. */
  blobBytes(): number
  blobRequests(): number
}

export async function startUpstream(host: LabHost, dir: string): Promise<UpstreamRegistry> {
  const root = join(dir, 'storage')
  await mkdir(root, { recursive: true })
  const config = join(dir, 'config.yml')
  await writeFile(config, `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${root}}}\nhttp: {addr: "0.0.0.0:${PORT}"}\n`)
  const child = host.spawn('docker-registry', ['serve', config])
  const sent = { bytes: 0, requests: 0 }
  if (child.stdout) {
    // the access log in Apache's format: the last number before the referrer is what the answer's body had
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /"GET \/v2\/\S+\/blobs\/\S+ HTTP\/1\.1" \d+ (\d+) /.exec(line)
      if (!match) return
      sent.bytes += Number(match[1])
      sent.requests++
    })
  }
  return {
    url: `http://${host.ip}:${PORT}`,
    child,
    addImage: (tag, layerSizes) => addImage(root, tag, layerSizes),
    blobBytes: () => sent.bytes,
    blobRequests: () => sent.requests,
  }
}

/** Puts an image where the registry's filesystem driver looks for it: no push through the shaped link. */
async function addImage(root: string, tag: string, layerSizes: readonly number[]): Promise<number> {
  const base = join(root, 'docker', 'registry', 'v2')
  const repository = join(base, 'repositories', REPOSITORY)
  const put = async (mediaType: string, bytes: Uint8Array): Promise<{ mediaType: string; digest: string; size: number }> => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    await write(join(base, 'blobs', 'sha256', hex.slice(0, 2), hex, 'data'), bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const link = (folder: string, digest: string): Promise<void> => write(join(repository, folder, 'link'), digest)
  const layers = []
  for (const size of layerSizes) layers.push(await put(TYPES.layer, randomBytes(size)))
  const config = await put(TYPES.config, Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: { Labels: { tag } }, rootfs: { type: 'layers', diff_ids: [] } })))
  for (const { digest } of [config, ...layers]) await link(join('_layers', 'sha256', digest.slice(7)), digest)
  const { digest } = await put(TYPES.manifest, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: TYPES.manifest, config, layers })))
  const revision = join('sha256', digest.slice(7))
  await link(join('_manifests', 'revisions', revision), digest)
  await link(join('_manifests', 'tags', tag, 'index', revision), digest)
  await link(join('_manifests', 'tags', tag, 'current'), digest)
  return [config, ...layers].reduce((sum, { size }) => sum + size, 0)
}

async function write(path: string, content: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
}
