import type { PeerSummary } from '../../../common/api/stats.ts'
import { ago, bytesText, count, hostPort } from '../format.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { nodeName } from '../view/labels.ts'
import { nodeState, roleText } from '../view/node-state.ts'
import { SourceBar } from './source-bar.ts'
import { Table, type Column } from './table.ts'

const COLUMNS: readonly Column<PeerSummary>[] = [
  { head: 'Node', cell: (peer) => html`<a href=${href('node', peer.id)}>${nodeName(peer)}</a><span class="under">${hostPort(peer.host, peer.port)}</span>` },
  { head: 'State', cell: (peer) => state(peer) },
  { head: 'Role', kind: 'spare', cell: ({ role }) => roleText(role) },
  { head: 'Zone', kind: 'spare', cell: ({ zone, rack }) => [zone, rack].filter((label) => label !== undefined).join(' / ') || html`<span class="muted">–</span>` },
  { head: 'Where its bytes came from', kind: 'spare', cell: ({ totals }) => (totals ? html`<${SourceBar} bytes=${totals} />` : html`<span class="muted">–</span>`) },
  { head: 'Received', kind: 'number', cell: ({ totals, downloaded }) => bytesText(totals ? totals.peer + totals.seeder + totals.upstream : downloaded) },
  { head: 'Sent', kind: 'spare-number', cell: ({ uploaded }) => bytesText(uploaded) },
  { head: 'Left the swarm', kind: 'spare-number', cell: ({ falls }) => (falls === 0 ? html`<span class="muted">0</span>` : `${count(falls)}`) },
  { head: 'Seen', kind: 'spare-number', cell: ({ lastSeen }) => ago(lastSeen, Date.now()) },
]

export function NodeTable({ caption, peers }: { caption: string; peers: readonly PeerSummary[] }): VNode {
  return html`<${Table} caption=${caption} columns=${COLUMNS} items=${peers} keyOf=${({ id }: PeerSummary) => id} />`
}

function state(peer: PeerSummary): VNode {
  const { text, tone } = nodeState(peer)
  return html`<span class=${`badge ${tone}`}>${text}</span>`
}
