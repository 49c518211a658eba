import test from 'ava'
import { mbit } from '../../../bench/sim/scenario.ts'
import { simulateZones } from '../../../bench/sim/zone-crowd.ts'

test('zones get most of their bytes from themselves, everybody is done sooner, nobody starves', (t) => {
  const crowd = { agents: 120, zones: 3, rate: mbit(50), link: 4, size: 4 * 1024 * 1024, unit: 256 * 1024, seed: 1 }
  const [random, policy] = (['random', 'policy'] as const).map((choice) => simulateZones(crowd, choice))
  if (!random || !policy) return t.fail()
  t.is(policy.unfinished, 0)
  t.true(policy.crossed <= 0.35 * random.crossed, `${policy.crossed} of all bytes cross zones, by chance ${random.crossed}`)
  t.true(policy.makespan <= 1.1 * random.makespan, `${policy.makespan} s, by chance ${random.makespan} s`)
})
