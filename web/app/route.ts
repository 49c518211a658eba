/** Which page is shown: the part of the address behind `#`. Pure. */

export interface Route {
  page: Page
  /** Id, digest or nothing. */
  subject: string
  /** What a list is narrowed to, and where in it. */
  query: Readonly<Record<string, string>>
}

export const PAGES = ['overview', 'swarms', 'swarm', 'nodes', 'node', 'blob', 'image', 'files', 'file', 'search'] as const
export type Page = (typeof PAGES)[number]

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2)
  const [name = '', subject = ''] = path.split('/', 2).map(decode)
  const page = PAGES.find((known) => known === name) ?? 'overview'
  return { page, subject, query: Object.fromEntries(new URLSearchParams(query)) }
}

/** An address within this site; what is empty in the query is left out. */
export function href(page: Page, subject = '', query: Readonly<Record<string, string | number | undefined>> = {}): string {
  const given = Object.entries(query).flatMap(([key, value]): [string, string][] => (value === undefined || value === '' || value === 0 ? [] : [[key, String(value)]]))
  const path = page === 'overview' ? '' : subject === '' ? page : `${page}/${encodeURIComponent(subject)}`
  const text = new URLSearchParams(given).toString()
  return `#/${path}${text === '' ? '' : `?${text}`}`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
