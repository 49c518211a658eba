import { createPortMux } from '../../common/http/port-mux.ts'
import { createLogger } from '../../common/log.ts'
import { unitCount, unitSpan, type UnitStorage } from '../../common/store/units.ts'
import type { PeerAddress, SwarmSpec } from '../../swarm/engine.ts'
import { createNativeEngine } from '../../swarm/native/engine.ts'
import { createPeerId } from '../../swarm/peer-id.ts'
import type { Report, WorkerTask } from './messages.ts'

/** How exactly the first block's time is known. */
const LOOK_EVERY_MS = 20

export interface Member {
  addPeers(peers: readonly PeerAddress[]): void
  leave(): Promise<void>
}

export interface MemberInit extends WorkerTask {
  member: number
  role: 'agent' | 'seeder'
  peers: PeerAddress[]
  spec: SwarmSpec
  content: Uint8Array
  say: (report: Report) => void
}

/** One engine of the crowd behind a port of its own. */
export async function startMember(init: MemberInit): Promise<Member> {
  const { member, role, rate, maxConnections, spec, content, say } = init
  const limits = { uploadLimit: rate, downloadLimit: rate }
  const engine = createNativeEngine({ peerId: createPeerId(role), listenPort: () => mux.address.port, maxConnections, ...limits, log: createLogger('error') })
  const mux = createPortMux({ host: '127.0.0.1', port: 0 }, { http: (socket) => socket.destroy(), bittorrent: (socket) => engine.accept(socket) })
  await engine.start()
  await mux.start()
  const swarm = await engine.open(spec, sharedStorage(content, init.unit, role === 'seeder'))
  say({ kind: 'joined', member, at: Date.now(), address: mux.address })
  swarm.onError((error) => say({ kind: 'failed', member, why: error.message }))
  const look = setInterval(() => {
    if (!swarm.peers().some(({ downloaded }) => downloaded > 0)) return
    clearInterval(look)
    say({ kind: 'served', member, at: Date.now() })
  }, LOOK_EVERY_MS)
  if (role === 'seeder') clearInterval(look)
  swarm.onUnit(() => {
    if (swarm.complete) say({ kind: 'done', member, at: Date.now() })
  })
  swarm.addPeers(init.peers)
  return {
    addPeers: (peers) => swarm.addPeers(peers),
    async leave() {
      clearInterval(look)
      const { uploaded, downloaded, wasted } = swarm.stats()
      await engine.stop()
      await mux.stop()
      say({ kind: 'left', member, uploaded, downloaded, wasted })
    },
  }
}

/** Storage that keeps nothing but what is there: what is written must be the same as the content that the process has anyway. */
function sharedStorage(content: Uint8Array, unit: number, full: boolean): UnitStorage {
  const { length } = content
  const present = new Set(full ? Array.from({ length: unitCount(length, unit) }, (_, index) => index) : [])
  return {
    length,
    unit,
    has: (index) => present.has(index),
    async read(offset, into) {
      into.set(content.subarray(offset, offset + into.length))
    },
    async write(index, bytes) {
      const { start, end } = unitSpan(index, length, unit)
      if (Buffer.compare(bytes, content.subarray(start, end)) !== 0) throw new Error(`unit ${index} is not what it should be`)
      present.add(index)
    },
  }
}
