import type { BlobPulls } from '../../../common/api/reports.ts'
import type { BlobSwarms } from '../../../common/api/swarms.ts'
import type { PageProps } from '../app.ts'
import { shortId } from '../format.ts'
import { Empty, Waiting } from '../parts/notice.ts'
import { offsetOf, PAGE_SIZE, Pager } from '../parts/pager.ts'
import { PullTable } from '../parts/pull-table.ts'
import { SwarmTable } from '../parts/swarm-table.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { useResource } from '../use-live.ts'

/** One blob: the swarms that carry it, and how each node got it. */
export function BlobPage({ route }: PageProps): VNode {
  const digest = encodeURIComponent(route.subject)
  const swarms = useResource<BlobSwarms>(`/v1/blobs/${digest}`, { events: ['swarm'] })
  const pulls = useResource<BlobPulls>(`/v1/blobs/${digest}/pulls?limit=${PAGE_SIZE}&offset=${offsetOf(route)}`, { events: ['pull'] })
  const of = pulls.data?.images.join(', ')
  return html`
    <${Title} text=${shortId(route.subject)} detail=${html`<span class="code">${route.subject}</span>${of && html`<span class="under">of ${of}</span>`}`} />
    <section aria-labelledby="swarms">
      <h2 id="swarms">Swarms</h2>
      ${!swarms.data && html`<${Waiting} error=${swarms.error} what="swarms" />`}
      ${swarms.data?.swarms.length === 0 && html`<${Empty} title="No swarm carries it.">Blobs have one once an agent has asked for them.<//>`}
      ${swarms.data && swarms.data.swarms.length > 0 && html`<${SwarmTable} caption="Swarms that carry this blob" swarms=${swarms.data.swarms} />`}
    </section>
    <section aria-labelledby="pulls">
      <h2 id="pulls">Who got it, and from where</h2>
      ${!pulls.data && html`<${Waiting} error=${pulls.error} what="pulls" />`}
      ${pulls.data?.total === 0 && html`<${Empty} title="No agent has reported it since this tracker started." />`}
      ${
        pulls.data &&
        pulls.data.total > 0 &&
        html`<${PullTable} caption="The last pull of this blob by each node, the newest first" by="node" pulls=${pulls.data.pulls} />
          <${Pager} route=${route} total=${pulls.data.total} offset=${pulls.data.offset} shown=${pulls.data.pulls.length} />`
      }
    </section>
  `
}
