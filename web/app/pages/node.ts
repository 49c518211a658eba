import type { NodeDetail } from '../../../common/api/stats.ts'
import type { PageProps } from '../app.ts'
import { ago, bytes, count, hostPort, percent } from '../format.ts'
import { Bar } from '../parts/bar.ts'
import { Empty, Waiting } from '../parts/notice.ts'
import { PullTable } from '../parts/pull-table.ts'
import { Tiles } from '../parts/tiles.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { useResource } from '../use-live.ts'
import { nodeName } from '../view/labels.ts'
import { nodeState, roleText } from '../view/node-state.ts'
import { shares } from '../view/pull-words.ts'
import { swarmTitle } from '../view/swarm-title.ts'
import type { Tile } from '../view/tiles.ts'

export function NodePage({ route }: PageProps): VNode {
  const { data, error } = useResource<NodeDetail>(`/v1/nodes/${encodeURIComponent(route.subject)}`, { events: ['node', 'pull', 'swarm'], refreshMs: 2_000 })
  if (!data) return html`<${Title} text="Node" /><${Waiting} error=${error} what="such node" />`
  const { text, tone } = nodeState(data)
  const { downloading, pulls, role } = data
  return html`
    <${Title} text=${nodeName(data)} detail=${html`<span class=${`badge ${tone}`}>${text}</span> · ${facts(data)}`} />
    <${Tiles} tiles=${tilesOf(data)} />
    ${
      downloading.length > 0 &&
      html`<section aria-labelledby="downloading">
        <h2 id="downloading">Downloading</h2>
        <ul class="downloads">
          ${downloading.map(({ id, name, progress }) => html`<li key=${id}><a href=${href('swarm', id)}>${swarmTitle({ name, images: [], kind: 'live' }).title}</a><${Bar} share=${progress} label=${name} /></li>`)}
        </ul>
      </section>`
    }
    ${
      role === 'agent' &&
      html`<section aria-labelledby="pulls">
        <h2 id="pulls">Last pulls</h2>
        ${pulls.length === 0 ? html`<${Empty} title="It has pulled nothing since this tracker knows it." />` : html`<${PullTable} caption="Blobs that this node has fetched, the newest first" by="blob" pulls=${pulls} />`}
      </section>`
    }
  `
}

function facts({ role, host, port, zone, rack, version, lastSeen }: NodeDetail): string {
  const place = [zone, rack].filter((label) => label !== undefined).join(' / ')
  return [roleText(role), hostPort(host, port), place, version === undefined ? '' : `version ${version}`, `seen ${ago(lastSeen, Date.now())}`]
    .filter((text) => text !== '')
    .join(' · ')
}

function tilesOf({ totals, uploaded, downloaded, falls, pulls, swarms, lacking }: NodeDetail): Tile[] {
  const received = totals ? totals.peer + totals.seeder + totals.upstream : downloaded
  const peerShare = totals ? (shares(totals).find(({ source }) => source === 'peer')?.share ?? 0) : 0
  return [
    { label: 'Received', ...bytes(received), note: totals ? `${count(totals.pulls)} blobs, ${count(totals.failed)} failed` : 'as it announces' },
    { label: 'From other nodes', ...(totals && received > 0 ? percent(peerShare) : { value: '–', unit: '' }), note: 'share of what it received' },
    { label: 'Sent', ...bytes(uploaded), note: 'to others, since this tracker knows it' },
    { label: 'Left the swarm', value: count(falls), unit: falls === 1 ? 'time' : 'times', note: `in its last ${count(pulls.length)} pulls` },
    { label: 'Swarms', value: count(swarms), unit: '', note: `${count(lacking)} of them under way` },
  ]
}
