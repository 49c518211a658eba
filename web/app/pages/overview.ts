import type { SwarmPage } from '../../../common/api/swarms.ts'
import type { PageProps } from '../app.ts'
import { count, rateText } from '../format.ts'
import { Empty, Waiting } from '../parts/notice.ts'
import { SwarmTable } from '../parts/swarm-table.ts'
import { ThroughputChart } from '../parts/throughput-chart.ts'
import { Tiles } from '../parts/tiles.ts'
import { Title } from '../parts/title.ts'
import { html, useMemo, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { useHistory } from '../use-history.ts'
import { useResource } from '../use-live.ts'
import { nodeName } from '../view/labels.ts'
import { fallText } from '../view/pull-words.ts'
import { throughput } from '../view/throughput.ts'
import { tiles } from '../view/tiles.ts'

const SHOWN_SWARMS = 8
const SHOWN_FALLS = 6

export function OverviewPage({ stats }: PageProps): VNode {
  const samples = useHistory()
  const data = useMemo(() => throughput(samples), [samples])
  const { data: list, error } = useResource<SwarmPage>(`/v1/swarms?state=active&sort=busy&limit=${SHOWN_SWARMS}`, { events: ['swarm', 'swarm-removed'] })
  return html`
    <${Title} text="Overview" />
    ${stats ? html`<${Tiles} tiles=${tiles(stats)} />` : html`<${Waiting} what="statistics" />`}
    <section aria-labelledby="throughput">
      <h2 id="throughput">Throughput</h2>
      <${ThroughputChart} data=${data} />
    </section>
    <section aria-labelledby="under-way">
      <h2 id="under-way">Swarms</h2>
      ${!list && html`<${Waiting} error=${error} what="swarms" />`}
      ${list?.total === 0 && html`<${NoSwarm} />`}
      ${list && list.total > 0 && html`<${SwarmTable} caption="Swarms in use, those under way first" swarms=${list.swarms} />`}
      ${list && list.total > SHOWN_SWARMS && html`<p class="more"><a href=${href('swarms')}>All ${count(list.total)} swarms in use</a></p>`}
    </section>
    ${stats && (stats.falls.length > 0 || stats.slowest) && html`<${Trouble} stats=${stats} />`}
  `
}

function NoSwarm(): VNode {
  return html`<${Empty} title="Nothing is shared yet."><p>Point a runtime at an agent (<code>pantala mirror-config docker</code>) and pull an image, or publish a file with <code>pantala seed FILE</code>.</p><//>`
}

function Trouble({ stats: { falls, slowest } }: { stats: NonNullable<PageProps['stats']> }): VNode {
  return html`
    <section aria-labelledby="trouble">
      <h2 id="trouble">Where the swarm did not do</h2>
      <ul class="facts">
        ${falls.slice(0, SHOWN_FALLS).map((fall) => html`<li key=${`${fall.rung} ${fall.reason}`}>${fallText(fall)}</li>`)}
        ${slowest && html`<li>the slowest node of the last hour: <a href=${href('node', slowest.id)}>${nodeName(slowest)}</a>, ${rateText(slowest.bytesPerSecond)}</li>`}
      </ul>
    </section>
  `
}
