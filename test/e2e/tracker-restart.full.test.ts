import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { killTrackerDuringPull } from './killed-tracker.ts'

const MIB = 1024 * 1024

test('the tracker is killed while twenty nodes pull: all pulls end, and the statistics are whole an interval later', async (t) => {
  t.timeout(4 * 60_000)
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  await killTrackerDuringPull(t, 20, 24 * MIB)
})
