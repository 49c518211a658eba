import type { ExecutionContext } from 'ava'
import type { PeerAddress, Swarm } from '../../../../swarm/engine.ts'
import { fullStorage, testBlob, testStorage, type TestBlob, type TestStorage } from '../../blobs.ts'
import { nativeNode, whenComplete, type NativeNodeOptions, type TestNode } from '../../nodes.ts'
import { dialRaw, foreignId, handshake, ID, listenRaw, message, type RawPeer } from './raw-peer.ts'

export const UNIT = 64 * 1024
export const SLOT = 16 * 1024

export interface Victim {
  blob: TestBlob
  node: TestNode
  swarm: Swarm
  storage: TestStorage
}

/** An engine that wants a blob. */
export async function leecher(t: ExecutionContext, units = 12, options: NativeNodeOptions = {}): Promise<Victim> {
  t.timeout(60_000)
  const blob = testBlob(units * UNIT - 1000, UNIT)
  const node = await nativeNode(t, 'agent', options)
  const storage = testStorage(blob)
  return { blob, node, storage, swarm: await node.engine.open(blob.spec, storage) }
}

/** An engine that has a blob. */
export async function seeder(t: ExecutionContext, blob: TestBlob, options: NativeNodeOptions = {}): Promise<TestNode & { swarm: Swarm }> {
  const node = await nativeNode(t, 'seeder', options)
  return { ...node, swarm: await node.engine.open(blob.spec, fullStorage(blob)) }
}

/** Connects to a victim with a proper handshake. */
export async function join(t: ExecutionContext, { node, blob }: Pick<Victim, 'blob'> & { node: TestNode }, fields: { peerId?: string; fast?: boolean } = {}): Promise<RawPeer> {
  const peer = await dialRaw(t, node.address, handshake({ id: blob.spec.id, peerId: foreignId(), ...fields }))
  await peer.until('handshake', () => peer.greeting !== undefined)
  return peer
}

/** An ordinary client that listens, has everything and is right. */
export async function honestPeer(t: ExecutionContext, blob: TestBlob, peerId = foreignId()): Promise<PeerAddress> {
  return listenRaw(t, (peer) => {
    peer.send(handshake({ id: blob.spec.id, peerId }), message(ID.haveAll), message(ID.unchoke))
    answer(peer, blob)
  })
}

/** Answers requests with what `give` says. */
export function answer(peer: RawPeer, { bytes, unit }: TestBlob, give: (data: Uint8Array, at: number) => Uint8Array = (data) => data): void {
  let answered = 0
  peer.socket.on('data', () => {
    for (const { piece, offset, length } of peer.requests().slice(answered)) {
      answered++
      const at = piece * unit + offset
      peer.send(message(ID.piece, piece, offset, give(bytes.subarray(at, at + length), at)))
    }
  })
}

/** What remains right whatever was sent: the blob arrives from an honest engine. */
export async function endsRight(t: ExecutionContext, { swarm, blob, storage }: Victim, options: NativeNodeOptions = {}): Promise<void> {
  const honest = await seeder(t, blob, options)
  const done = whenComplete(swarm)
  swarm.addPeers([honest.address])
  await done
  t.true(Buffer.from(blob.bytes).equals(storage.bytes))
}

/** Bytes with each one different. */
export function wrong(data: Uint8Array): Uint8Array {
  return data.map((byte) => byte ^ 0xff)
}
