import type { SwarmPage as SwarmList } from '../../../common/api/swarms.ts'
import type { PageProps } from '../app.ts'
import { Filter } from '../parts/filter.ts'
import { Empty, Waiting } from '../parts/notice.ts'
import { offsetOf, PAGE_SIZE, Pager } from '../parts/pager.ts'
import { SwarmTable } from '../parts/swarm-table.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { useResource } from '../use-live.ts'

const STATES = [
  { value: '', text: 'All' },
  { value: 'incomplete', text: 'Under way' },
  { value: 'active', text: 'In use' },
]
const KINDS = [
  { value: '', text: 'Every kind' },
  { value: 'live', text: 'Live' },
  { value: 'torrent', text: 'Torrents' },
]

export function SwarmsPage({ route }: PageProps): VNode {
  const query = new URLSearchParams({ sort: 'busy', limit: String(PAGE_SIZE), offset: String(offsetOf(route)) })
  for (const name of ['state', 'kind', 'q']) if (route.query[name]) query.set(name, route.query[name])
  const { data, error } = useResource<SwarmList>(`/v1/swarms?${query}`, { events: ['swarm', 'swarm-removed'] })
  return html`
    <${Title} text="Swarms" />
    <div class="filters">
      <${Filter} route=${route} name="state" label="State" choices=${STATES} />
      <${Filter} route=${route} name="kind" label="Kind" choices=${KINDS} />
    </div>
    ${!data && html`<${Waiting} error=${error} what="swarms" />`}
    ${data?.total === 0 && html`<${Empty} title="No swarm is like that."><p>Swarms are registered by seeders as soon as somebody pulls an image or a file is seeded.</p><//>`}
    ${data && data.total > 0 && html`<${SwarmTable} caption="Swarms, those under way first" swarms=${data.swarms} /><${Pager} route=${route} total=${data.total} offset=${data.offset} shown=${data.swarms.length} />`}
  `
}
