import type { SwarmPeer } from '../../../common/api/swarms.ts'
import { shortNode } from '../format.ts'
import { nodeLabels } from './labels.ts'

/** Who feeds whom, as a drawing. Pure: places in a square of {@link SIZE}. */

export const SIZE = 520
/** More nodes than these are not told apart any more; those that moved the most are shown. */
const MAX_NODES = 24
const RING = 210
const SEEDER_RING = 46
const MAX_WIDTH = 7
const MIN_WIDTH = 0.8

export interface GraphNode {
  id: string
  label: string
  role: SwarmPeer['role']
  progress: number
  x: number
  y: number
  /** Where the label goes. */
  labelX: number
  labelY: number
  anchor: 'start' | 'middle' | 'end'
}

export interface GraphEdge {
  from: string
  to: string
  bytes: number
  fromSeeder: boolean
  width: number
  path: string
}

export interface FeedGraph {
  nodes: GraphNode[]
  /** The strongest last, so that it lies on top. */
  edges: GraphEdge[]
  /** Nodes that are left out. */
  hidden: number
}

export function feedGraph(peers: readonly SwarmPeer[]): FeedGraph {
  const labels = nodeLabels(peers)
  const moved = movedBytes(peers)
  const byRole = (seeder: boolean): SwarmPeer[] => peers.filter(({ role }) => (role === 'seeder') === seeder).toSorted((a, b) => (moved.get(b.id) ?? 0) - (moved.get(a.id) ?? 0))
  const seeders = byRole(true).slice(0, MAX_NODES / 4)
  const others = byRole(false).slice(0, MAX_NODES - seeders.length)
  // in an order that does not change while bytes grow
  const nodes = [...onCircle(sorted(seeders), seeders.length > 1 ? SEEDER_RING : 0, labels), ...onCircle(sorted(others), RING, labels)]
  const shown = new Map(nodes.map((node) => [node.id, node]))
  const flows = peers.flatMap((peer) => (peer.from ?? []).flatMap(({ id, bytes }) => (shown.has(id) && shown.has(peer.id) && bytes > 0 ? [{ from: id, to: peer.id, bytes }] : [])))
  const most = Math.max(1, ...flows.map(({ bytes }) => bytes))
  const edges = flows.toSorted((a, b) => a.bytes - b.bytes).flatMap((flow) => edgeOf(flow, most, shown) ?? [])
  return { nodes, edges, hidden: peers.length - nodes.length }
}

function movedBytes(peers: readonly SwarmPeer[]): Map<string, number> {
  const moved = new Map<string, number>()
  for (const peer of peers) {
    for (const { id, bytes } of peer.from ?? []) for (const each of [id, peer.id]) moved.set(each, (moved.get(each) ?? 0) + bytes)
  }
  return moved
}

function sorted(peers: readonly SwarmPeer[]): SwarmPeer[] {
  return peers.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

function onCircle(peers: readonly SwarmPeer[], radius: number, labels: ReadonlyMap<string, string>): GraphNode[] {
  return peers.map(({ id, role, progress }, index) => {
    const angle = (index / peers.length) * 2 * Math.PI - Math.PI / 2
    const [dx, dy] = [Math.cos(angle), Math.sin(angle)]
    const outside = radius + 24
    const middle = radius < RING
    return {
      id,
      label: labels.get(id) ?? shortNode(id),
      role,
      progress,
      x: SIZE / 2 + radius * dx,
      y: SIZE / 2 + radius * dy,
      labelX: middle ? SIZE / 2 + radius * dx : SIZE / 2 + outside * dx,
      labelY: middle ? SIZE / 2 + radius * dy + 32 : SIZE / 2 + outside * dy + 5,
      anchor: middle || Math.abs(dx) < 0.2 ? 'middle' : dx > 0 ? 'start' : 'end',
    }
  })
}

/** A curve that bends to the right of its direction, so that two nodes that feed each other have two. */
function edgeOf({ from, to, bytes }: { from: string; to: string; bytes: number }, most: number, nodes: ReadonlyMap<string, GraphNode>): GraphEdge | undefined {
  const [a, b] = [nodes.get(from), nodes.get(to)]
  if (!a || !b || a === b) return undefined
  const bend = 0.16
  const control = { x: (a.x + b.x) / 2 - (b.y - a.y) * bend, y: (a.y + b.y) / 2 + (b.x - a.x) * bend }
  const path = `M${fixed(a.x)} ${fixed(a.y)}Q${fixed(control.x)} ${fixed(control.y)} ${fixed(b.x)} ${fixed(b.y)}`
  return { from, to, bytes, fromSeeder: a.role === 'seeder', width: MIN_WIDTH + (MAX_WIDTH - MIN_WIDTH) * (bytes / most), path }
}

function fixed(number: number): string {
  return number.toFixed(1)
}
