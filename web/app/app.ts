import type { TrackerStats } from '../../common/api/stats.ts'
import type { Live } from './live.ts'
import { BlobPage } from './pages/blob.ts'
import { FilePage } from './pages/file.ts'
import { FilesPage } from './pages/files.ts'
import { ImagePage } from './pages/image.ts'
import { NodePage } from './pages/node.ts'
import { NodesPage } from './pages/nodes.ts'
import { OverviewPage } from './pages/overview.ts'
import { SearchPage } from './pages/search.ts'
import { SwarmPage } from './pages/swarm.ts'
import { SwarmsPage } from './pages/swarms.ts'
import { Header } from './parts/header.ts'
import { Notice } from './parts/notice.ts'
import { html, useEffect, useRef, useState, type VNode } from './preact.ts'
import { parseRoute, type Page, type Route } from './route.ts'
import { LiveProvider, useEvent, useLiveState, useResource } from './use-live.ts'

/** What each page is given. */
export interface PageProps {
  route: Route
  stats: TrackerStats | undefined
}

const PAGE_PARTS: Readonly<Record<Page, (props: PageProps) => VNode>> = {
  overview: OverviewPage,
  swarms: SwarmsPage,
  swarm: SwarmPage,
  nodes: NodesPage,
  node: NodePage,
  blob: BlobPage,
  image: ImagePage,
  files: FilesPage,
  file: FilePage,
  search: SearchPage,
}

export function App({ live }: { live: Live }): VNode {
  return html`<${LiveProvider} value=${live}><${Shell} live=${live} /><//>`
}

function Shell({ live }: { live: Live }): VNode {
  const route = useRoute()
  const main = useRef<HTMLElement>(null)
  const state = useLiveState()
  const { data: stats, update } = useResource<TrackerStats>('/v1/stats')
  useEvent('stats', (next) => update(() => next))
  const place = `${route.page}/${route.subject}`

  useEffect(() => live.watch(route.page === 'swarm' ? route.subject : undefined), [place])
  const visited = useRef(place)
  useEffect(() => {
    if (visited.current === place) return
    visited.current = place
    scrollTo(0, 0)
    main.current?.focus({ preventScroll: true })
  }, [place])

  const toMain = (event: Event): void => {
    event.preventDefault()
    main.current?.focus()
  }
  return html`
    <a class="skip" href="#main" onClick=${toMain}>To the content</a>
    <${Header} page=${route.page} cluster=${stats?.cluster} state=${state} query=${route.query['q'] ?? ''} />
    <main ref=${main} id="main" tabindex="-1">
      ${state === 'away' && html`<${Notice} tone="bad" title="The tracker does not answer.">What you see is the last that it told. This page goes on by itself when it is back.<//>`}
      <${PAGE_PARTS[route.page]} key=${place} route=${route} stats=${stats} />
    </main>
    <footer>Pantala ${stats?.version}${stats && html`, cluster ${stats.cluster}`} · <a href="/v1/stats">JSON</a> · <a href="/metrics">metrics</a></footer>
  `
}

function useRoute(): Route {
  const [route, setRoute] = useState(() => parseRoute(location.hash))
  useEffect(() => {
    const follow = (): void => setRoute(parseRoute(location.hash))
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return route
}
