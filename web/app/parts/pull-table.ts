import type { NodePull } from '../../../common/api/reports.ts'
import { bytesText, clockTime, durationText, shortId, shortNode } from '../format.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { fallText } from '../view/pull-words.ts'
import { withoutRegistry } from '../view/swarm-title.ts'
import { SourceBar } from './source-bar.ts'
import { Table, type Column } from './table.ts'

const BLOB: Column<NodePull> = {
  head: 'Blob',
  cell: ({ digest, image }) => html`<a href=${href('blob', digest)}>${shortId(digest)}</a>${image !== undefined && html`<span class="under">${withoutRegistry(image)}</span>`}`,
}
const NODE: Column<NodePull> = {
  head: 'Node',
  cell: ({ node }) =>
    html`<a href=${href('node', node.id)}>${node.name ?? shortNode(node.id)}</a>${node.name !== undefined && html`<span class="under">${shortNode(node.id)}</span>`}`,
}
const REST: readonly Column<NodePull>[] = [
  { head: 'When', kind: 'spare', cell: ({ at }) => html`<time datetime=${new Date(at).toISOString()}>${clockTime(at)}</time>` },
  { head: 'Size', kind: 'number', cell: ({ length }) => bytesText(length) },
  {
    head: 'Time',
    kind: 'number',
    cell: ({ ms, outcome, code }) => (outcome === 'complete' ? durationText(ms) : html`<span class="bad">failed${code !== undefined && ` (${code})`}</span>`),
  },
  { head: 'First byte', kind: 'spare-number', cell: ({ firstByteMs }) => (firstByteMs === undefined ? '–' : durationText(firstByteMs)) },
  { head: 'Where from', cell: ({ bytes }) => html`<${SourceBar} bytes=${bytes} />` },
  {
    head: 'Left the swarm',
    kind: 'spare',
    cell: ({ falls }) => (falls.length === 0 ? html`<span class="muted">no</span>` : falls.map((fall) => html`<span class="line">${fallText(fall)}</span>`)),
  },
]

/** Pulls of one blob by node, or of one node by blob. */
export function PullTable({ caption, by, pulls }: { caption: string; by: 'node' | 'blob'; pulls: readonly NodePull[] }): VNode {
  const columns = [by === 'node' ? NODE : BLOB, ...REST]
  return html`<${Table} caption=${caption} columns=${columns} items=${pulls} keyOf=${({ node, digest, at }: NodePull) => `${node.id} ${digest} ${at}`} />`
}
