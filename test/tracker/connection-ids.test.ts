import test from 'ava'
import { createConnectionIds } from '../../tracker/udp/connection-ids.ts'

test('an id belongs to one address and port, for one to two minutes', (t) => {
  let now = 30_000
  const ids = createConnectionIds(() => now)
  const id = ids.issue('10.0.0.1', 1)
  for (let i = 0; i < 2; i++) {
    t.true(ids.valid(id, '10.0.0.1', 1))
    t.false(ids.valid(id, '10.0.0.1', 2))
    t.false(ids.valid(id, '10.0.0.2', 1))
    t.false(ids.valid(id + 1n, '10.0.0.1', 1))
  }
  now = 119_000
  t.true(ids.valid(id, '10.0.0.1', 1))
  now = 121_000
  t.false(ids.valid(id, '10.0.0.1', 1))
  t.false(createConnectionIds(() => now).valid(ids.issue('10.0.0.1', 1), '10.0.0.1', 1), 'another tracker has another key')
})
