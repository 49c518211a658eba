import type { ImageSummary } from '../../common/api/reports.ts'

/** What people write for an image, and whether a name that the tracker knows is meant: `alpine` is `docker.io/library/alpine:latest`. */
export function meantBy(text: string): { search: string; fits: (image: Pick<ImageSummary, 'name' | 'tag'>) => boolean } {
  const [, repository = text, tag] = /^(.+?)(?::([^:/]+))?$/.exec(text) ?? []
  const wantedTag = tag ?? 'latest'
  return { search: repository, fits: ({ name, tag: known }) => known === wantedTag && (name === repository || name.endsWith(`/${repository}`)) }
}
