import { parseArgs } from 'node:util'
import { mbit } from './scenario.ts'
import { simulateZones } from './zone-crowd.ts'

/**
 * Many peers in zones that slow links join: the tracker's peer policy beside random choice. Prints the bytes that cross zones, of what
 * all agents need, and the times.
 */

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '10000' },
    zones: { type: 'string', default: '20' },
    mbit: { type: 'string', default: '50' },
    /** Each zone's link to the others, in members' links. */
    link: { type: 'string', default: '50' },
    mib: { type: 'string', default: '4' },
    unit: { type: 'string', default: '262144' },
    choice: { type: 'string', default: 'random,policy' },
    seed: { type: 'string', default: '1' },
  },
})
const crowd = {
  agents: Number(values.peers),
  zones: Number(values.zones),
  rate: mbit(Number(values.mbit)),
  link: Number(values.link),
  size: Number(values.mib) * 1024 * 1024,
  unit: Number(values.unit),
  seed: Number(values.seed),
}
console.log(
  '| choice | bytes across, of all needed | last done | median | longest wait for a first block | degree | unfinished | CPU |\n| --- | --- | --- | --- | --- | --- | --- | --- |',
)
for (const choice of values.choice.split(',')) {
  if (choice !== 'random' && choice !== 'policy') throw new Error(`the choice is ${choice}; expected random or policy`)
  const started = process.cpuUsage()
  const { crossed, makespan, median, firstBlock, meanDegree, unfinished } = simulateZones(crowd, choice)
  const { user, system } = process.cpuUsage(started)
  const cells = [choice, crossed.toFixed(3), `${makespan.toFixed(2)} s`, `${median.toFixed(2)} s`, `${firstBlock.toFixed(2)} s`, meanDegree.toFixed(0), String(unfinished)]
  console.log(`| ${cells.join(' | ')} | ${((user + system) / 1e6).toFixed(0)} s |`)
}
