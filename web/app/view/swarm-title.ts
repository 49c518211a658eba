import type { SwarmSummary } from '../../../common/api/swarms.ts'
import { count, shortId } from '../format.ts'

export interface SwarmTitle {
  title: string
  /** What else it is known by. */
  detail: string
}

/** Seeded files carry their own name, blobs that of an image, where one is known. */
export function swarmTitle({ name, images, kind }: Pick<SwarmSummary, 'name' | 'images' | 'kind'>): SwarmTitle {
  const [image] = images
  const what = kind === 'live' ? 'live' : 'torrent'
  if (image === undefined) return { title: shortId(name), detail: what }
  const more = images.length > 1 ? ` and ${count(images.length - 1)} more` : ''
  return { title: withoutRegistry(image), detail: `${what}, ${shortId(name)}${more}` }
}

/** A file that an operator has seeded: anything that is not named by a digest or a URL. */
export function isFile({ name, kind }: Pick<SwarmSummary, 'name' | 'kind'>): boolean {
  return kind === 'torrent' && !/^(sha256|url):[0-9a-f]{64}$/.test(name)
}

/** Almost all images of a cluster come from one registry: its host says little. */
export function withoutRegistry(image: string): string {
  const [host = '', ...rest] = image.split('/')
  return rest.length > 0 && /[.:]/.test(host) ? rest.join('/') : image
}
