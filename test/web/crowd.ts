import { createHash } from 'node:crypto'
import { peerId } from '../tracker/trackers.ts'

/** A cluster of many nodes and swarms that only a tracker knows: what its interface is told in their names. */

export interface CrowdSize {
  nodes: number
  swarms: number
  /** Members of each swarm. */
  members: number
}

const PIECE = 4 * 1024 * 1024
const NODES_IN_REQUESTS = 16

async function send(url: string, method: 'PUT' | 'POST', body: unknown): Promise<void> {
  const response = await fetch(url, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`)
  await response.arrayBuffer()
}

export function swarmId(index: number): string {
  return createHash('sha1').update(`swarm ${index}`).digest('hex')
}

function digestOf(index: number): string {
  return `sha256:${createHash('sha256').update(`blob ${index}`).digest('hex')}`
}

function lengthOf(index: number): number {
  return PIECE * (4 + (index % 60)) + 1_234
}

export async function registerCrowd(base: string, { swarms }: CrowdSize): Promise<void> {
  for (let index = 0; index < swarms; index++) {
    const digest = digestOf(index)
    await send(`${base}/v1/swarms/${swarmId(index)}`, 'PUT', {
      kind: index % 2 ? 'torrent' : 'live',
      name: digest,
      digest,
      length: lengthOf(index),
      pieceLength: PIECE,
      access: 'public',
      seeder: 'seeder-1',
    })
  }
  const totals = { peer: 0, seeder: 0, upstream: 0, wasted: 0, pulls: 0, failed: 0 }
  for (let index = 0; index < swarms; index += 5) {
    const children = Array.from({ length: 5 }, (_, child) => ({ digest: digestOf(index + child), size: lengthOf(index + child), kind: 'blob' }))
    const images = [{ name: `registry.example/team-${index % 7}/service-${index}`, tag: `v${index % 9}`, digest: digestOf(10_000 + index), children }]
    await send(`${base}/v1/reports`, 'POST', { node: { id: peerId('seeder', 1), role: 'seeder', name: 'seeder-1' }, totals, pulls: [], images })
  }
}

/** One round in which every node tells how far it is. @param step - from 0 to 1 */
export async function announceCrowd(base: string, size: CrowdSize, step: number): Promise<void> {
  for (let first = 0; first < size.nodes; first += NODES_IN_REQUESTS) {
    const nodes = Array.from({ length: Math.min(NODES_IN_REQUESTS, size.nodes - first) }, (_, index) => first + index)
    await Promise.all(nodes.map((node) => announceNode(base, size, node, step)))
  }
}

async function announceNode(base: string, size: CrowdSize, node: number, step: number): Promise<void> {
  const id = peerId('agent', node)
  const each = Math.ceil((size.swarms * size.members) / size.nodes)
  const swarms = Array.from({ length: each }, (_, index) => stateIn((node * each + index) % size.swarms, node, step, size))
  const peer = { id, role: 'agent', port: 20_000 + node, name: `node-${String(node).padStart(4, '0')}`, zone: `zone-${node % 20}`, rack: `rack-${node % 7}`, version: '0.1.0' }
  await send(`${base}/v1/announce`, 'POST', { peer, swarms })
  const moved = Math.round(step * (200 + (node % 50)) * PIECE)
  const totals = {
    peer: Math.round(moved * 0.92),
    seeder: Math.round(moved * 0.07),
    upstream: node % 40 === 0 ? Math.round(moved * 0.01) : 0,
    wasted: 0,
    pulls: Math.round(step * 30),
    failed: 0,
  }
  await send(`${base}/v1/reports`, 'POST', { node: { id, role: 'agent', name: peer.name }, totals, pulls: [], images: [] })
}

function stateIn(swarm: number, node: number, step: number, size: CrowdSize): object {
  const length = lengthOf(swarm)
  const done = Math.min(1, step * (0.6 + ((Math.floor(node / 100) * 3 + swarm) % 10) / 12))
  const pieces = Math.ceil(length / PIECE)
  const have = Buffer.alloc(Math.ceil(pieces / 8))
  for (let piece = 0; piece < pieces; piece++) if ((piece * 37 + node * 11) % pieces < done * pieces) have[piece >> 3] = (have[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
  const from = Array.from({ length: 4 }, (_, index) => ({ id: peerId('agent', (node + (index + 1) * 100) % size.nodes), bytes: Math.round((length * done) / (index + 2)) }))
  const left = Math.round(length * (1 - done))
  return {
    id: swarmId(swarm),
    uploaded: Math.round(length * done),
    downloaded: Math.round(length * done),
    left,
    wanted: 0,
    from,
    ...(left > 0 ? { have: have.toString('base64') } : {}),
  }
}
