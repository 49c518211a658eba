import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createStage, coreSeconds, type Pulled, type Stage } from './stage.ts'

/**
 * A cold image on N nodes at once through the whole product, and the same without it. Upstream, supernode and every node stand behind
 * links of their own. The bound is the time that the upstream's link needs for the image once. Needs root, docker-registry, ip and tc.
 */

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '8' },
    mbit: { type: 'string', default: '50' },
    /** Sizes of the layers, KiB. */
    layers: { type: 'string', default: '32768,32768,32768,512,64,4' },
    runs: { type: 'string', default: '3' },
    /** How TCP finds its rate; cubic is what Linux has where nobody chose another. */
    tcp: { type: 'string', default: 'cubic' },
    /** Pulls without us. */
    direct: { type: 'string', default: '0' },
    keep: { type: 'string' },
    /** A folder for what went over each link during each pull, JSON. */
    trace: { type: 'string' },
    /** For the processes of the product, apart by blanks, as `--node-flags=--cpu-prof`; see the logs in the kept folder. */
    'node-flags': { type: 'string', default: '' },
  },
})
const count = Number(values.nodes)
const mbit = Number(values.mbit)
const layerSizes = values.layers.split(',').map((kib) => Number(kib) * 1024)
const nodes = Array.from({ length: count }, (_, index) => index)

interface Outcome {
  last: number
  median: number
  upstream: number
  firstByte: number
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN
}

async function measure(stage: Stage, tag: string, source: 'agent' | 'registry'): Promise<Outcome> {
  const size = await stage.upstream.addImage(tag, layerSizes)
  const bound = size / ((mbit * 1e6) / 8)
  const blobBytes = stage.upstream.blobBytes()
  const before = { cpu: await stage.cpu(), cores: await coreSeconds() }
  const traffic = values.trace === undefined ? undefined : stage.watch()
  const pulled = await stage.pull(nodes, tag, source, async () => {
    before.cpu = await stage.cpu()
    before.cores = await coreSeconds()
  })
  await traffic?.keep(join(values.trace ?? '', `${tag}.json`), { pulled, until: Date.now() })
  const seconds = pulled.map(({ ms }) => ms / 1000)
  const last = Math.max(...seconds)
  const cores = (await coreSeconds()).map((used, core) => (used - (before.cores[core] ?? 0)) / last)
  const cpu = await stage.cpu()
  const outcome = {
    last: last / bound,
    median: median(seconds) / bound,
    upstream: (stage.upstream.blobBytes() - blobBytes) / size,
    firstByte: Math.max(...pulled.map(({ firstByte }) => firstByte)) / 1000,
  }
  console.log(
    [
      `${source === 'agent' ? 'pantala' : 'direct '} last ${last.toFixed(2)} s (${outcome.last.toFixed(2)} of the bound)`,
      `median ${median(seconds).toFixed(2)} s`,
      `upstream sent ${outcome.upstream.toFixed(3)} of the image`,
      `first byte ${outcome.firstByte.toFixed(2)} s (all layers begun ${(Math.max(...pulled.map((each) => each.lastFirstByte)) / 1000).toFixed(2)} s)`,
      `cores ${cores.map((share) => `${(share * 100).toFixed(0)} %`).join(' ')}`,
      `CPU agent ${((cpu.agents - before.cpu.agents) / count).toFixed(2)} s, supernode ${(cpu.supernode - before.cpu.supernode).toFixed(2)} s, clients ${median(pulled.map((each) => each.cpu)).toFixed(2)} s each`,
      ...(source === 'agent' ? [origins(pulled, size)] : []),
    ].join('  '),
  )
  return outcome
}

type Origin = 'peer' | 'seeder' | 'upstream'
const ORIGINS: readonly Origin[] = ['peer', 'seeder', 'upstream']
let receivedBefore = { peer: 0, seeder: 0, upstream: 0 }

/** Where the agents' bytes came from, each as a share of what all of them had to get. */
function origins(pulled: readonly Pulled[], size: number): string {
  const received = { ...receivedBefore }
  for (const of of ORIGINS) received[of] = pulled.reduce((sum, { stats }) => sum + (stats?.bytes[of] ?? 0), 0)
  const shares = ORIGINS.map((of) => `${of} ${((received[of] - receivedBefore[of]) / (size * count)).toFixed(2)}`)
  receivedBefore = received
  return `from ${shares.join(', ')}`
}

const stage = await createStage({
  nodes: count,
  mbit,
  congestion: values.tcp,
  nodeFlags: values['node-flags'].split(' ').filter(Boolean),
  ...(values.keep === undefined ? {} : { keep: values.keep }),
})
try {
  const mib = layerSizes.reduce((sum, size) => sum + size, 0) / 1048576
  console.log(
    `${count} nodes, ${mbit} Mbit/s each way everywhere, an image of ${layerSizes.length} layers, ${mib.toFixed(1)} MiB; ${values.tcp}, ${cpus().length} cores, Node ${process.versions.node}`,
  )
  const outcomes: Outcome[] = []
  for (let run = 0; run < Number(values.runs); run++) outcomes.push(await measure(stage, `cold-${run}`, 'agent'))
  if (outcomes.length > 1) {
    const of = (key: keyof Outcome): string => median(outcomes.map((outcome) => outcome[key])).toFixed(key === 'upstream' ? 3 : 2)
    console.log(`medians: last ${of('last')} of the bound (target 1.3), upstream sent ${of('upstream')} (target 1.01), first byte ${of('firstByte')} s (target 1.5)`)
  }
  for (let run = 0; run < Number(values.direct); run++) await measure(stage, `direct-${run}`, 'registry')
} finally {
  await stage.remove()
}
