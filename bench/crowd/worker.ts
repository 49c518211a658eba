import { createCipheriv, createHash } from 'node:crypto'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { unitCount, unitSpan } from '../../common/store/units.ts'
import { buildInfo } from '../../swarm/metainfo.ts'
import { startMember, type Member } from './member.ts'
import type { Order, Report, WorkerTask } from './messages.ts'

/** A process with many engines of a crowd; talks with the benchmark over IPC. */

const task = JSON.parse(process.argv[2] ?? '') as WorkerTask
const { size, unit } = task
const lag = monitorEventLoopDelay({ resolution: 10 })

function say(report: Report): void {
  process.send?.(report)
}

// the same bytes in each process, and different ones in each unit: AES in counter mode over zeros
const content = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(Buffer.alloc(size))
const pieces = Array.from({ length: unitCount(size, unit) }, (_, index) => {
  const { start, end } = unitSpan(index, size, unit)
  return createHash('sha1').update(content.subarray(start, end)).digest()
})
const spec = buildInfo({ length: size, name: 'crowd', pieceLength: unit, pieces: Buffer.concat(pieces), source: 'bench' })
const members = new Map<number, Member>()
const cpuAtStart = process.cpuUsage()
lag.enable()

async function obey(order: Order): Promise<void> {
  switch (order.kind) {
    case 'join':
      members.set(order.member, await startMember({ ...task, ...order, spec, content, say }))
      return
    case 'peers':
      members.get(order.member)?.addPeers(order.peers)
      return
    case 'leave':
      await members.get(order.member)?.leave()
      members.delete(order.member)
      return
    case 'end': {
      await Promise.all([...members.values()].map((member) => member.leave()))
      const { user, system } = process.cpuUsage(cpuAtStart)
      say({ kind: 'ended', cpuSeconds: (user + system) / 1e6, rss: process.resourceUsage().maxRSS * 1024, lagMs: lag.percentile(99) / 1e6 })
      process.disconnect()
    }
  }
}

process.on('message', (order: Order) => {
  obey(order).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
