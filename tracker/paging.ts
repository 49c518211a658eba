import { Type, type Static } from '../common/api/schema.ts'
import { DEFAULT_PAGE_ITEMS, MAX_PAGE_ITEMS } from './limits.ts'

/** The query of every list: which part of it. */
export const Page = Type.Object({
  offset: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PAGE_ITEMS })),
})
export type PageQuery = Static<typeof Page>

/** A list that can be searched. */
export const Search = Type.Object({ ...Page.properties, q: Type.Optional(Type.String({ maxLength: 256 })) })
export type SearchQuery = Static<typeof Search>

/** `busy`: those that lack something first, and of these and of the others the newest first. Else the oldest first. */
export const Sort = Type.Object({ sort: Type.Optional(Type.Literal('busy')) })

export function busyFirst<T>(all: Iterable<T>, busy: (item: T) => boolean): T[] {
  const [first, rest]: [T[], T[]] = [[], []]
  for (const item of all) (busy(item) ? first : rest).push(item)
  return [...first.reverse(), ...rest.reverse()]
}

export function pageOf<T>(all: Iterable<T>, { offset = 0, limit = DEFAULT_PAGE_ITEMS }: PageQuery): { offset: number; items: T[] } {
  const items: T[] = []
  let at = 0
  for (const item of all) {
    if (at++ < offset) continue
    if (items.length >= limit) break
    items.push(item)
  }
  return { offset, items }
}

/** A page of those that match, and how many there are. */
export function searchPage<T>(
  all: Iterable<T>,
  matches: (item: T) => boolean,
  { offset = 0, limit = DEFAULT_PAGE_ITEMS }: PageQuery,
): { total: number; offset: number; items: T[] } {
  const items: T[] = []
  let total = 0
  for (const item of all) {
    if (!matches(item)) continue
    if (total >= offset && items.length < limit) items.push(item)
    total++
  }
  return { total, offset, items }
}
