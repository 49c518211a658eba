import type { SwarmPeer } from '../../../common/api/swarms.ts'
import { bytesText, count, percentText } from '../format.ts'
import { html, useMemo, useState, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { feedGraph, SIZE, type GraphEdge, type GraphNode } from '../view/feed-graph.ts'
import { Empty } from './notice.ts'
import { Table } from './table.ts'

const RADIUS = 13
/** Room for labels at both sides. */
const MARGIN = 150
const MAX_ROWS = 200

/** Who gave whom how much: a drawing, and the same as a table. */
export function FeedGraph({ peers }: { peers: readonly SwarmPeer[] }): VNode {
  const { nodes, edges, hidden } = useMemo(() => feedGraph(peers), [peers])
  const [chosen, choose] = useState<string | undefined>(undefined)
  if (edges.length === 0) return html`<${Empty} title="Nothing has been told yet.">Nodes that are downloading tell every few seconds who gave them what.<//>`
  const names = new Map(nodes.map(({ id, label }) => [id, label]))
  const faded = ({ from, to }: GraphEdge): boolean => chosen !== undefined && from !== chosen && to !== chosen
  return html`
    <svg class="graph" viewBox=${`${-MARGIN} 0 ${SIZE + 2 * MARGIN} ${SIZE}`} role="group" aria-label="Who feeds whom">
      <g fill="none">
        ${edges.map(
          (
            edge,
          ) => html`<path key=${`${edge.from} ${edge.to}`} class=${`edge ${edge.fromSeeder ? 'seeder' : 'peer'} ${faded(edge) ? 'faded' : ''}`} d=${edge.path} stroke-width=${edge.width}>
            <title>${names.get(edge.from)} gave ${names.get(edge.to)} ${bytesText(edge.bytes)}</title>
          </path>`,
        )}
      </g>
      ${nodes.map((node) => html`<${NodeMark} key=${node.id} node=${node} onChoose=${choose} />`)}
    </svg>
    <p class="hint">
      <span class="swatch peer" aria-hidden="true"></span>from node to node <span class="swatch seeder" aria-hidden="true"></span>from a seeder; the thicker, the more.
      ${hidden > 0 && ` The ${count(nodes.length)} that moved the most are drawn, ${count(hidden)} are not.`}
    </p>
    <details>
      <summary>The same as a table</summary>
      <${Table}
        caption="Who gave whom how much, the most first"
        columns=${[
          { head: 'From', cell: ({ from }: GraphEdge) => names.get(from) },
          { head: 'To', cell: ({ to }: GraphEdge) => names.get(to) },
          { head: 'Bytes', kind: 'number', cell: ({ bytes }: GraphEdge) => bytesText(bytes) },
        ]}
        items=${edges.toReversed().slice(0, MAX_ROWS)}
        keyOf=${({ from, to }: GraphEdge) => `${from} ${to}`}
      />
    </details>
  `
}

function NodeMark({ node, onChoose }: { node: GraphNode; onChoose: (id: string | undefined) => void }): VNode {
  const { id, label, role, progress, x, y, labelX, labelY, anchor } = node
  const around = 2 * Math.PI * RADIUS
  const show = (): void => onChoose(id)
  const hide = (): void => onChoose(undefined)
  return html`
    <a href=${href('node', id)} class="mark" aria-label=${`${label}, has ${percentText(progress)}`} onMouseEnter=${show} onMouseLeave=${hide} onFocus=${show} onBlur=${hide}>
      <circle class=${role === 'seeder' ? 'ground seeder' : 'ground'} cx=${x} cy=${y} r=${RADIUS} />
      <circle class="ring" cx=${x} cy=${y} r=${RADIUS} fill="none" stroke-dasharray=${`${progress * around} ${around}`} transform=${`rotate(-90 ${x} ${y})`} />
      <text x=${labelX} y=${labelY} text-anchor=${anchor}>${label}</text>
    </a>
  `
}
