import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { agentMetrics } from '../../agent/metrics.ts'
import { silentLogger } from '../../common/log.ts'
import type { Registry } from '../../common/metrics.ts'
import { seederMetrics } from '../../seeder/metrics.ts'
import { trackerMetrics } from '../../tracker/metrics.ts'
import { createState } from '../../tracker/state.ts'
import { ROOT } from '../helpers/pantala.ts'

// what is counted is not asked for: only names matter here
const state = createState({ listen: { host: '127.0.0.1', port: 0 }, cluster: 'docs', announceIntervalMs: 60_000, log: silentLogger }, {} as never)
const names = [trackerMetrics(state), seederMetrics({} as never), agentMetrics({} as never)].flatMap(namesOf)

function namesOf(registry: Registry): string[] {
  return registry
    .getMetricsAsArray()
    .map(({ name }) => name)
    .filter((name) => name.startsWith('pantala_'))
}

test('the table of metrics names exactly what the parts serve', async (t) => {
  const text = await readFile(join(ROOT, 'docs/operations.md'), 'utf8')
  const rows = text.split('\n').filter((line) => line.startsWith('| `pantala_'))
  const documented = rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`([a-z_]+)`/g)].map(([, name = '']) => name))
  t.deepEqual(documented.toSorted(), names.toSorted())
})

test("the dashboard's queries use metrics that exist", async (t) => {
  const { panels } = JSON.parse(await readFile(join(ROOT, 'deploy/grafana/pantala.json'), 'utf8')) as { panels: { title: string; targets: { expr: string }[] }[] }
  t.true(panels.length > 10)
  for (const { title, targets } of panels) {
    for (const { expr } of targets) {
      const used = [...expr.matchAll(/pantala_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''))
      t.true(used.length > 0, title)
      for (const name of used) t.true(names.includes(name), `${title}: ${name}`)
    }
  }
})
