import type { SwarmSummary } from '../../../common/api/swarms.ts'
import { bytesText, count } from '../format.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { swarmTitle } from '../view/swarm-title.ts'
import { Bar } from './bar.ts'
import { Table, type Column } from './table.ts'

const COLUMNS: readonly Column<SwarmSummary>[] = [
  { head: 'What', cell: (swarm) => named(swarm) },
  {
    head: 'Progress',
    cell: ({ progress, incomplete }) =>
      incomplete > 0 ? html`<${Bar} share=${progress} label="of all its nodes on average" />` : html`<span class="muted">everybody has it</span>`,
  },
  { head: 'Have it', kind: 'number', cell: ({ complete }) => count(complete) },
  { head: 'Downloading', kind: 'spare-number', cell: ({ incomplete }) => (incomplete === 0 ? html`<span class="muted">0</span>` : count(incomplete)) },
  { head: 'Size', kind: 'spare-number', cell: ({ length }) => bytesText(length) },
  { head: 'Moved', kind: 'spare-number', cell: ({ downloaded }) => bytesText(downloaded) },
]

export function SwarmTable({ caption, swarms }: { caption: string; swarms: readonly SwarmSummary[] }): VNode {
  return html`<${Table} caption=${caption} columns=${COLUMNS} items=${swarms} keyOf=${({ id }: SwarmSummary) => id} />`
}

function named(swarm: SwarmSummary): VNode {
  const { title, detail } = swarmTitle(swarm)
  return html`<a href=${href('swarm', swarm.id)}>${title}</a><span class="under">${detail}</span>`
}
