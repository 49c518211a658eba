import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { pantala } from '../helpers/pantala.ts'
import { killTrackerDuringPull } from './killed-tracker.ts'

const MIB = 1024 * 1024
const AGENTS = 3

test('the tracker is killed in the middle of a pull: the pull ends, and the statistics are whole an interval later', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const { tracker, image } = await killTrackerDuringPull(t, AGENTS, 24 * MIB)

  const explained = await pantala(t, ['explain', 'team/app:v1', '--nodes', tracker])
  t.is(explained.code, 0, explained.stderr)
  for (const { digest } of image.blobs) t.true(explained.stdout.includes(digest))
  t.is(explained.stdout.match(/ complete /g)?.length, AGENTS * image.blobs.length)
  const one = await pantala(t, ['explain', image.blobs[2]?.digest ?? '', '--nodes', tracker])
  t.regex(one.stdout, /of .*team\/app:v1/)
  const unknown = await pantala(t, ['explain', 'team/other', '--nodes', tracker])
  t.is(unknown.code, 1)
  t.regex(unknown.stderr, /expected a digest or an image that was pulled, got "team\/other"/)
  const printed = await pantala(t, ['stats', '--nodes', tracker])
  t.regex(printed.stdout, /^egress +.* saved; .* % peer to peer$/m)
})
