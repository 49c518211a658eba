import { cpus } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createStage, type Source, type Stage } from './stage.ts'

/**
 * Never slower than without us: one node and two nodes, a small and a large image, cold (nobody has it) and warm (the seeder has it),
 * against the same pull from the registry itself. What is allowed is 1.05 of the direct pull and 100 ms. Needs root.
 */

const { values } = parseArgs({
  options: {
    mbit: { type: 'string', default: '100' },
    nodes: { type: 'string', default: '1,2' },
    /** Images: sizes of their layers in KiB, images apart by semicolons. */
    images: { type: 'string', default: '1024;65536,24576,8192,4096' },
    runs: { type: 'string', default: '3' },
    /** How TCP finds its rate; cubic is what Linux has where nobody chose another. */
    tcp: { type: 'string', default: 'cubic' },
    keep: { type: 'string' },
    /** Blobs up to this size come from the seeder by HTTP; the agents' default when left out. */
    'small-blob': { type: 'string' },
    /** A folder for what went over each link during each pull, JSON. */
    trace: { type: 'string' },
  },
})
const mbit = Number(values.mbit)
const ALLOWED = { factor: 1.05, ms: 100 }
const WAYS = ['direct', 'cold', 'warm'] as const
type Way = (typeof WAYS)[number]
let tags = 0

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? Number.NaN
}

/** Milliseconds until the last of the nodes has an image that nobody has pulled before. */
async function measure(stage: Stage, nodes: readonly number[], layerSizes: readonly number[], way: Way): Promise<number> {
  const tag = `${way}-${tags++}`
  await stage.upstream.addImage(tag, layerSizes)
  if (way === 'warm') await stage.warm(tag)
  const source: Source = way === 'direct' ? 'registry' : 'agent'
  const traffic = values.trace === undefined ? undefined : stage.watch()
  const pulled = await stage.pull(nodes, tag, source)
  await traffic?.keep(join(values.trace ?? '', `${tag}.json`), { pulled, until: Date.now() })
  return Math.max(...pulled.map(({ ms }) => ms))
}

const counts = values.nodes.split(',').map(Number)
const images = values.images.split(';').map((sizes) => sizes.split(',').map((kib) => Number(kib) * 1024))
const smallBlob = values['small-blob']
const agentFlags = smallBlob === undefined ? [] : ['--small-blob', smallBlob]
const stage = await createStage({ nodes: Math.max(...counts), mbit, congestion: values.tcp, agentFlags, ...(values.keep === undefined ? {} : { keep: values.keep }) })
try {
  console.log(`${mbit} Mbit/s each way everywhere; medians of ${values.runs}; ${values.tcp}, ${cpus().length} cores, Node ${process.versions.node}`)
  for (const count of counts) {
    const nodes = Array.from({ length: count }, (_, index) => index)
    for (const layerSizes of images) {
      const times: Record<Way, number[]> = { direct: [], cold: [], warm: [] }
      for (let run = 0; run < Number(values.runs); run++) for (const way of WAYS) times[way].push(await measure(stage, nodes, layerSizes, way))
      const direct = median(times.direct)
      const allowed = direct * ALLOWED.factor + ALLOWED.ms
      const mib = layerSizes.reduce((sum, size) => sum + size, 0) / 1048576
      const shown = (way: Way): string => `${way} ${median(times[way]).toFixed(0)} ms (${times[way].map((ms) => ms.toFixed(0)).join(', ')})`
      const verdict = (['cold', 'warm'] as const).map((way) => `${way} ${(median(times[way]) / direct).toFixed(2)} of direct ${median(times[way]) <= allowed ? 'ok' : 'TOO SLOW'}`)
      console.log(`${count} node${count === 1 ? '' : 's'}, ${mib.toFixed(1)} MiB: ${WAYS.map(shown).join('  ')}; allowed ${allowed.toFixed(0)} ms: ${verdict.join(', ')}`)
    }
  }
} finally {
  await stage.remove()
}
