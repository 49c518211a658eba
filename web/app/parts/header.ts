import type { LiveState } from '../live.ts'
import { html, type VNode } from '../preact.ts'
import { href, type Page } from '../route.ts'
import { SearchBox } from './search-box.ts'
import { ThemeSwitch } from './theme-switch.ts'

const LINKS = [
  { page: 'overview', text: 'Overview', also: [] },
  { page: 'swarms', text: 'Swarms', also: ['swarm', 'blob', 'image'] },
  { page: 'nodes', text: 'Nodes', also: ['node'] },
  { page: 'files', text: 'Files', also: ['file'] },
] as const satisfies readonly { page: Page; text: string; also: readonly Page[] }[]

const STATES: Readonly<Record<LiveState, string>> = { connecting: 'connecting', live: 'live', away: 'tracker away' }

export function Header({ page, cluster, state, query }: { page: Page; cluster: string | undefined; state: LiveState; query: string }): VNode {
  return html`
    <header>
      <a class="brand" href=${href('overview')}>
        <img src="/app/icon.svg" alt="" width="28" height="28" />
        <span>Pantala</span>
        ${cluster !== undefined && html`<span class="cluster">${cluster}</span>`}
      </a>
      <nav aria-label="Pages">
        ${LINKS.map(({ page: to, text, also }) => {
          const here = to === page || also.some((other) => other === page)
          return html`<a href=${href(to)} aria-current=${here ? 'page' : undefined}>${text}</a>`
        })}
      </nav>
      <${SearchBox} query=${page === 'search' ? query : ''} />
      <span class=${`state ${state}`} role="status"><span class="dot" aria-hidden="true"></span>${STATES[state]}</span>
      <${ThemeSwitch} />
    </header>
  `
}
