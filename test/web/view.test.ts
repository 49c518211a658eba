import test from 'ava'
import type { HistorySample } from '../../common/api/stats.ts'
import type { SwarmDetail, SwarmPeer } from '../../common/api/swarms.ts'
import { feedGraph, SIZE } from '../../web/app/view/feed-graph.ts'
import { nodeLabels } from '../../web/app/view/labels.ts'
import { applyProgress, columns, pieceBits, together } from '../../web/app/view/pieces.ts'
import { fallText, shares } from '../../web/app/view/pull-words.ts'
import { seederLink } from '../../web/app/view/seeder-link.ts'
import { shellWord } from '../../web/app/view/shell-word.ts'
import { isFile, swarmTitle } from '../../web/app/view/swarm-title.ts'
import { joinSamples, latest, throughput } from '../../web/app/view/throughput.ts'

function peer(number: number, change: Partial<SwarmPeer> = {}): SwarmPeer {
  const id = number.toString(16).padStart(40, '0')
  return { id, role: 'agent', host: '10.0.0.1', port: number, swarms: 1, lacking: 0, falls: 0, uploaded: 0, downloaded: 0, lastSeen: 0, complete: true, progress: 1, ...change }
}

function sample(seconds: number, peerBytes: number): HistorySample {
  return { at: seconds * 1000, uploaded: 0, downloaded: 0, peer: peerBytes, seeder: 0, upstream: 0, nodes: 1, incomplete: 0 }
}

test('the rate is the growth of the last seconds; a tracker that begins anew moves nothing backwards', (t) => {
  const samples = [sample(0, 0), sample(2, 200), sample(4, 400), sample(6, 0), sample(8, 100)]
  const { at, rates } = throughput(samples)
  t.deepEqual(at, [2, 4, 6, 8])
  t.deepEqual(rates.peer.slice(0, 3), [100, 100, 0])
  t.is(latest(throughput([]), 'peer'), 0)
  t.deepEqual(throughput([sample(0, 0), sample(100, 1000)]).rates.peer, [10], 'over a gap it is the mean')
})

test('samples are joined in order, without those that are known, and bounded', (t) => {
  const joined = joinSamples([sample(1, 0), sample(2, 0)], [sample(2, 0), sample(3, 0)])
  t.deepEqual(
    joined.map(({ at }) => at),
    [1000, 2000, 3000],
  )
  t.is(
    joinSamples(
      [],
      Array.from({ length: 1_000 }, (_, index) => sample(index + 1, 0)),
    ).length,
    300,
  )
})

test('pieces come out of the bitfield, or all of them', (t) => {
  const have = Buffer.from([0b10100000, 0b01000000]).toString('base64')
  t.deepEqual([...pieceBits({ have, complete: false }, 10)], [1, 0, 1, 0, 0, 0, 0, 0, 0, 1])
  t.deepEqual([...pieceBits({ complete: true }, 3)], [1, 1, 1])
  t.deepEqual([...pieceBits({ complete: false }, 3)], [0, 0, 0])
  t.deepEqual([...pieceBits({ have, complete: false }, 20)].slice(16), [0, 0, 0, 0], 'a short field lacks the rest')
  t.deepEqual([...together([Uint8Array.of(1, 0), Uint8Array.of(1, 1)], 2)], [1, 0.5])
  t.deepEqual(columns([1, 0, 1, 1], 2), [0.5, 1])
  t.deepEqual(columns([1, 0], 100), [1, 0])
  t.is(columns([], 10).length, 1)
})

test('progress changes the peers of its own swarm only', (t) => {
  const detail = { id: 'a', peers: [peer(1, { progress: 0.1, complete: false, have: 'AA==' }), peer(2)] } as unknown as SwarmDetail
  const news = { swarm: 'a', peers: [{ id: peer(1).id, progress: 1, complete: true }] }
  const after = applyProgress(detail, news)
  t.is(after.peers[0]?.progress, 1)
  t.is(after.peers[0]?.have, undefined, 'what was told before is gone')
  t.is(after.peers[1], detail.peers[1])
  t.is(applyProgress(detail, { ...news, swarm: 'b' }), detail)
})

test('nodes of one name are told apart by their ports', (t) => {
  const labels = nodeLabels([peer(1, { name: 'vm' }), peer(2, { name: 'vm' }), peer(3, { name: 'other' }), peer(4)])
  t.deepEqual([...labels.values()], ['vm:1', 'vm:2', 'other', '10.0.0.1:4'])
})

test('the graph shows who moved the most, within its square, the strongest flow on top', (t) => {
  const peers = [peer(0, { role: 'seeder' }), ...Array.from({ length: 40 }, (_, index) => peer(index + 1, { from: [{ id: peer(0).id, bytes: 100 + index }] }))]
  const { nodes, edges, hidden } = feedGraph(peers)
  t.is(nodes.length + hidden, 41)
  t.true(nodes.length <= 24)
  t.true(nodes.every(({ x, y }) => x >= 0 && x <= SIZE && y >= 0 && y <= SIZE))
  t.true(
    nodes.some(({ id }) => id === peer(40).id),
    'the one that got the most',
  )
  t.is(edges.at(-1)?.to, peer(40).id)
  t.true(edges.every(({ fromSeeder }) => fromSeeder))
  t.deepEqual(feedGraph([peer(1, { from: [{ id: peer(9).id, bytes: 5 }] })]).edges, [], 'who is not here is not drawn')
  t.deepEqual(feedGraph([]).nodes, [])
})

test('names of swarms, files and falls', (t) => {
  const digest = `sha256:${'ab'.repeat(32)}`
  t.deepEqual(swarmTitle({ name: digest, kind: 'live', images: ['localhost:5000/team/app:v1', 'x/y:1'] }), { title: 'team/app:v1', detail: 'live, sha256:abababababab and 1 more' })
  t.deepEqual(swarmTitle({ name: 'model.bin', kind: 'torrent', images: [] }), { title: 'model.bin', detail: 'torrent' })
  t.is(swarmTitle({ name: digest, kind: 'live', images: ['team/app:v1'] }).title, 'team/app:v1')
  t.true(isFile({ name: 'sha256:notes.txt', kind: 'torrent' }))
  t.false(isFile({ name: digest, kind: 'torrent' }))
  t.is(fallText({ rung: 'upstream', reason: 'SEEDER_UNREACHABLE', count: 3 }), 'asked the registry: no seeder answered, 3 times')
  t.is(fallText({ rung: 'seeder', reason: 'NEW_CODE', count: 1 }), 'asked a seeder over HTTP: NEW_CODE')
  t.deepEqual(
    shares({ peer: 3, seeder: 1, upstream: 0 }).map(({ share }) => share),
    [0.75, 0.25, 0],
  )
  t.deepEqual(
    shares({ peer: 0, seeder: 0, upstream: 0 }).map(({ share }) => share),
    [0, 0, 0],
  )
})

test('files have a way over the seeder that registered them', (t) => {
  const key = { id: '0'.repeat(16), spki: '' }
  const seeders = [
    { id: 'a', host: null, port: 8002, key },
    { id: 'b', host: 'fd00::1', port: 8002, key },
  ]
  t.is(seederLink({ seeders }, 'a', 'id', 'tracker.example'), 'http://tracker.example:8002/files/id')
  t.is(seederLink({ seeders }, 'b', 'id', 'tracker.example'), 'http://[fd00::1]:8002/files/id')
  t.is(seederLink({ seeders }, 'a', 'id', '[::1]'), 'http://[::1]:8002/files/id')
  t.is(seederLink({ seeders }, 'gone', 'id', 'tracker.example'), undefined)
})

test('names in command lines are one word', (t) => {
  t.is(shellWord('model.bin'), 'model.bin')
  t.is(shellWord('a b'), "'a b'")
  t.is(shellWord("it's; rm -rf /"), "'it'\\''s; rm -rf /'")
  t.is(shellWord('-rf'), "'-rf'")
})
