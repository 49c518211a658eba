import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { temporaryFolder } from './folder.ts'
import { succeed } from './process.ts'

const KIB = 1024
const MIB = 1024 * KIB
export const LAYER_SIZES = [KIB, 100 * KIB, 3 * MIB, 41 * MIB]

const OCI = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
}

interface Descriptor {
  mediaType: string
  digest: string
  size: number
}

export interface TestImage {
  /** Digest of the manifest. */
  digest: string
  /** Config and layers. */
  blobs: Descriptor[]
  /** Bytes of the whole image. */
  size: number
}

/** A static program that is the image's first layer, and what a container of it runs. */
export interface Program {
  bytes: Uint8Array
  /** Its path in the image, without a slash before it. */
  path: string
  command: readonly string[]
}

/** An OCI layout on disk with images of its own, not compressible, different in each test. */
export interface Layout {
  readonly dir: string
  add(tag: string, layerSizes?: readonly number[], platform?: string, program?: Program): Promise<TestImage>
  /** An index over images that were added. */
  addIndex(tag: string, images: readonly { image: TestImage; architecture: string }[]): Promise<string>
  /** Pushes a tag, everything below an index included; under another name if one is given. */
  push(tag: string, place: string, repository: string, format?: 'oci' | 'v2s2', as?: string): Promise<void>
}

export async function createLayout(t: ExecutionContext): Promise<Layout> {
  const dir = await temporaryFolder(t)
  await mkdir(join(dir, 'blobs', 'sha256'), { recursive: true })
  await writeFile(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  const entries: (Descriptor & { annotations: Record<string, string> })[] = []

  const put = async (mediaType: string, bytes: Uint8Array): Promise<Descriptor> => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    await writeFile(join(dir, 'blobs', 'sha256', hex), bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const tag = async (name: string, descriptor: Descriptor): Promise<void> => {
    entries.push({ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': name } })
    await writeFile(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: entries }))
  }
  return {
    dir,
    async add(name, layerSizes = LAYER_SIZES, architecture = 'amd64', program) {
      const layers: Descriptor[] = []
      const diffs: string[] = []
      const files = layerSizes.map((size, index) => tarOf(`file-${index}`, randomBytes(size)))
      for (const tar of program ? [tarOf(program.path, program.bytes, 0o755), ...files] : files) {
        diffs.push(`sha256:${createHash('sha256').update(tar).digest('hex')}`)
        layers.push(await put(OCI.layer, gzipSync(tar, { level: 1 })))
      }
      const config = await put(
        OCI.config,
        Buffer.from(JSON.stringify({ architecture, os: 'linux', config: program ? { Cmd: program.command } : {}, rootfs: { type: 'layers', diff_ids: diffs } })),
      )
      const manifest = await put(OCI.manifest, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI.manifest, config, layers })))
      await tag(name, manifest)
      const blobs = [config, ...layers]
      return { digest: manifest.digest, blobs, size: blobs.reduce((sum, blob) => sum + blob.size, 0) }
    },
    async addIndex(name, images) {
      const manifests = images.map(({ image, architecture }) => {
        const entry = entries.find(({ digest }) => digest === image.digest)
        return { mediaType: OCI.manifest, digest: image.digest, size: entry?.size, platform: { architecture, os: 'linux' } }
      })
      const index = await put(OCI.index, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI.index, manifests })))
      await tag(name, index)
      return index.digest
    },
    async push(name, place, repository, format, as = name) {
      const options = format === undefined ? ['--preserve-digests'] : ['--format', format]
      await succeed(t, 'skopeo', ['copy', '-q', '--all', ...options, '--dest-tls-verify=false', `oci:${dir}:${name}`, `docker://${place}/${repository}:${as}`])
    },
  }
}

/** A tar archive of one file (POSIX ustar). */
function tarOf(name: string, content: Uint8Array, mode = 0o644): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write(`${mode.toString(8).padStart(7, '0')}\0${'0000000\0'.repeat(2)}`, 100)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\0' + '00', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512)
  return Buffer.concat([header, content, padding, Buffer.alloc(1024)])
}
