import { createSocket, type Socket } from 'node:dgram'
import { leftOf, percent, swarmsOf, type Crowd } from './crowd.ts'
import { measure, type Load } from './latencies.ts'
import { RawHttp } from './raw-http.ts'

const CONCURRENCY = 32
const ANSWER_LIMIT_MS = 5_000
const WANTED = 50

export interface LoadInit {
  port: number
  crowd: Crowd
  /** Swarms in which each peer is. */
  swarmsEach: number
  /** In batches: peers are asked for with every announce; otherwise only with the first, as nodes do that are connected. */
  asking: boolean
  ms: number
  /** Everybody has announced once: from here on is measured. */
  onPopulated: () => Promise<void>
}

interface Announcer {
  announce(peer: number, event: 'started' | 'update'): Promise<boolean>
  close(): void
}

/** Everybody announces once, then for some time whoever is next. */
async function run({ crowd, ms, onPopulated }: LoadInit, announcers: readonly Announcer[]): Promise<Load> {
  try {
    let next = 0
    const populate = async (announcer: Announcer): Promise<void> => {
      for (let peer = next++; peer < crowd.peers.length; peer = next++) {
        if (!(await announcer.announce(peer, 'started'))) throw new Error(`the announce of peer ${peer} failed`)
      }
    }
    await Promise.all(announcers.map(populate))
    await onPopulated()
    let turn = 0
    return await measure({ ms, concurrency: announcers.length, work: async (worker) => (await announcers[worker]?.announce(turn++ % crowd.peers.length, 'update')) === true })
  } finally {
    for (const announcer of announcers) announcer.close()
  }
}

/** Ordinary announces over HTTP, connections kept. */
export function httpLoad(init: LoadInit): Promise<Load> {
  const make = (): Announcer => {
    const http = new RawHttp(init.port)
    return {
      async announce(peer, event) {
        const { id, port } = init.crowd.peers[peer] ?? { id: '', port: 0 }
        const [swarm = ''] = swarmsOf(init.crowd, peer, 1)
        const query = `info_hash=${percent(swarm)}&peer_id=${percent(id)}&port=${port}&uploaded=0&downloaded=0&left=${leftOf(peer)}&compact=1&numwant=${WANTED}${event === 'started' ? '&event=started' : ''}`
        const answer = await http.ask(`GET /announce?${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n`)
        return answer?.status === 200 && !answer.body.includes('failure reason')
      },
      close: () => http.close(),
    }
  }
  return run(init, Array.from({ length: CONCURRENCY }, make))
}

/** Many swarms of one peer in each request; the rate is that of swarms. */
export async function batchLoad(init: LoadInit): Promise<Load> {
  const make = (): Announcer => {
    const http = new RawHttp(init.port)
    return {
      async announce(peer, event) {
        const { id, port } = init.crowd.peers[peer] ?? { id: '', port: 0 }
        const left = leftOf(peer)
        const swarms = swarmsOf(init.crowd, peer, init.swarmsEach).map((swarm) => ({
          id: swarm,
          ...(event === 'started' ? { event } : {}),
          uploaded: 0,
          downloaded: 0,
          left,
          wanted: event === 'update' && !init.asking ? 0 : left === 0 ? 20 : 40,
        }))
        const body = JSON.stringify({ peer: { id, role: 'agent', port, name: `node-${peer}` }, swarms })
        const answer = await http.ask(
          `POST /v1/announce HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: keep-alive\r\n\r\n${body}`,
        )
        return answer?.status === 200 && !answer.body.includes('"unknown"')
      },
      close: () => http.close(),
    }
  }
  const load = await run(init, Array.from({ length: 8 }, make))
  return { ...load, rate: load.rate * init.swarmsEach, answers: load.answers * init.swarmsEach }
}

/** BEP 15, a socket with a connection id for each worker. */
export async function udpLoad(init: LoadInit): Promise<Load> {
  return run(init, await Promise.all(Array.from({ length: CONCURRENCY }, () => udpAnnouncer(init))))
}

async function udpAnnouncer({ port: tracker, crowd }: LoadInit): Promise<Announcer> {
  const socket: Socket = createSocket('udp4')
  let settle: ((answer: Buffer | undefined) => void) | undefined
  socket.on('message', (message) => {
    settle?.(message)
    settle = undefined
  })
  const ask = (message: Buffer): Promise<Buffer | undefined> =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), ANSWER_LIMIT_MS)
      settle = (answer) => {
        clearTimeout(timer)
        resolve(answer)
      }
      socket.send(message, tracker, '127.0.0.1')
    })
  const connect = Buffer.alloc(16)
  connect.writeBigUInt64BE(0x41727101980n, 0)
  const connectionId = (await ask(connect))?.subarray(8, 16)
  if (!connectionId) throw new Error('the tracker does not answer over UDP')
  return {
    async announce(peer, event) {
      const message = Buffer.alloc(98)
      connectionId.copy(message, 0)
      message.writeUInt32BE(1, 8)
      message.write(swarmsOf(crowd, peer, 1)[0] ?? '', 16, 'hex')
      message.write(crowd.peers[peer]?.id ?? '', 36, 'hex')
      message.writeBigUInt64BE(BigInt(leftOf(peer)), 64)
      message.writeUInt32BE(event === 'started' ? 2 : 0, 80)
      message.writeInt32BE(WANTED, 92)
      message.writeUInt16BE(crowd.peers[peer]?.port ?? 0, 96)
      return (await ask(message))?.readUInt32BE(0) === 1
    },
    close: () => void socket.close(),
  }
}
