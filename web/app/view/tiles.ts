import type { TrackerStats } from '../../../common/api/stats.ts'
import { bytes, bytesText, count, duration, durationText, percent, type Quantity } from '../format.ts'

export interface Tile extends Quantity {
  label: string
  note: string
}

const NOTHING: Quantity = { value: '–', unit: '' }

/** The numbers that one wants to see first. */
export function tiles({ nodes, egress, delivered, p2pShare, pulls, swarms, peers }: TrackerStats): Tile[] {
  const moved = delivered.total > 0
  return [
    { label: 'Nodes', value: count(nodes.agents), unit: nodes.agents === 1 ? 'agent' : 'agents', note: nodesNote(nodes) },
    {
      label: 'Registry egress saved',
      ...(moved ? bytes(egress.saved) : NOTHING),
      note: moved ? `${bytesText(egress.upstream)} fetched, ${bytesText(delivered.total)} delivered` : 'nothing was pulled yet',
    },
    {
      label: 'From other nodes',
      ...(moved ? percent(p2pShare) : NOTHING),
      note: moved ? `${bytesText(delivered.peer)}; ${bytesText(delivered.seeder)} from seeders` : 'share of all bytes',
    },
    {
      label: 'Time of a pull',
      ...(pulls.time.count > 0 ? duration(pulls.time.p50) : NOTHING),
      note: pulls.time.count > 0 ? `median; 99 % within ${durationText(pulls.time.p99)}` : 'no pull within the last hour',
    },
    {
      label: 'Under way',
      value: count(peers.incomplete),
      unit: peers.incomplete === 1 ? 'download' : 'downloads',
      note: `${count(swarms.active)} of ${count(swarms.registered)} swarms in use`,
    },
  ]
}

function nodesNote({ seeders, foreign, unreachable }: TrackerStats['nodes']): string {
  const parts = [`${count(seeders)} ${seeders === 1 ? 'seeder' : 'seeders'}`]
  if (foreign > 0) parts.push(`${count(foreign)} other ${foreign === 1 ? 'client' : 'clients'}`)
  if (unreachable > 0) parts.push(`${count(unreachable)} cannot be reached`)
  return parts.join(', ')
}
