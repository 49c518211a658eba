import type { PeerPage } from '../../../common/api/stats.ts'
import type { PageProps } from '../app.ts'
import { Filter } from '../parts/filter.ts'
import { NodeTable } from '../parts/node-table.ts'
import { Empty, Waiting } from '../parts/notice.ts'
import { offsetOf, PAGE_SIZE, Pager } from '../parts/pager.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { useResource } from '../use-live.ts'

const ROLES = [
  { value: '', text: 'All' },
  { value: 'agent', text: 'Agents' },
  { value: 'seeder', text: 'Seeders' },
  { value: 'foreign', text: 'Other clients' },
]

export function NodesPage({ route }: PageProps): VNode {
  const query = new URLSearchParams({ sort: 'busy', limit: String(PAGE_SIZE), offset: String(offsetOf(route)) })
  for (const name of ['role', 'q']) if (route.query[name]) query.set(name, route.query[name])
  const { data, error } = useResource<PeerPage>(`/v1/peers?${query}`, { events: ['node', 'node-removed', 'pull', 'swarm'], refreshMs: 2_000 })
  return html`
    <${Title} text="Nodes" />
    <div class="filters"><${Filter} route=${route} name="role" label="Role" choices=${ROLES} /></div>
    ${!data && html`<${Waiting} error=${error} what="nodes" />`}
    ${data?.total === 0 && html`<${Empty} title="No node is here."><p>On each machine: <code>pantala agent --nodes ${location.host}</code></p><//>`}
    ${data && data.total > 0 && html`<${NodeTable} caption="Nodes, those that are downloading first" peers=${data.peers} /><${Pager} route=${route} total=${data.total} offset=${data.offset} shown=${data.peers.length} />`}
  `
}
