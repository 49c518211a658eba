/** Where the next page of a list is, as upstream says it, and how it is said to our own client (RFC 8288; distribution-spec, "Listing Tags"). */

export interface ListPlace {
  /** The path that the client asked for, with a registry's prefix where it used one; percent-encoded. */
  path: string
  /** The registry that the client named in `?ns=`. */
  ns: string | undefined
}

const MAX_QUERY_CHARS = 2048

/**
 * Upstream's `Link: <…>; rel="next"` so that it leads through us: the client's own path, upstream's query.
 * @returns undefined when there is no next page, or when upstream's link leads somewhere else than to the same list
 */
export function rewriteNextLink(header: string | undefined, below: string, { path, ns }: ListPlace): string | undefined {
  const next = [...(header ?? '').matchAll(/<([^<>]*)>((?:\s*;\s*[^,;<]+)*)/g)].find(([, , parameters = '']) => /;\s*rel\s*=\s*"?next"?\s*(;|$)/i.test(parameters))
  const target = next?.[1]
  if (target === undefined || !URL.canParse(target, 'http://upstream/v2/')) return undefined
  const { pathname, searchParams } = new URL(target, 'http://upstream/v2/')
  // a link of a query alone (`?n=…`) is relative to the list that was asked for
  if (!target.startsWith('?') && !decodeURIComponent(pathname).endsWith(`/${below}`)) return undefined
  searchParams.delete('ns')
  if (ns !== undefined) searchParams.set('ns', ns)
  const query = searchParams.toString()
  return query.length > MAX_QUERY_CHARS ? undefined : `<${path}${query === '' ? '' : `?${query}`}>; rel="next"`
}
