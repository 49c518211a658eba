import test from 'ava'
import fc from 'fast-check'
import { createSigningKey } from '../../swarm/record.ts'
import { LEEWAY_MS, signTicket, ticketHolds } from '../../swarm/ticket.ts'

const TERMS = { cluster: 'c', digest: `sha256:${'1'.repeat(64)}` }
const TEN_MINUTES_MS = 600_000

test('a ticket opens one blob of one cluster, for some minutes, if a known seeder has signed it', (t) => {
  const [key, other] = [createSigningKey(), createSigningKey()]
  const ticket = signTicket(key, TERMS, 0)
  const holds = (change: Partial<typeof TERMS>, now: number, keys = [other.public, key.public]): boolean => ticketHolds(ticket, keys, { ...TERMS, ...change }, now, LEEWAY_MS)
  t.true(holds({}, 0))
  t.true(holds({}, TEN_MINUTES_MS + LEEWAY_MS - 1_000))
  t.false(holds({}, TEN_MINUTES_MS + LEEWAY_MS))
  t.false(holds({ digest: `sha256:${'2'.repeat(64)}` }, 0))
  t.false(holds({ cluster: 'd' }, 0))
  t.false(holds({}, 0, [other.public]))
  t.false(ticketHolds(undefined, [key.public], TERMS, 0, LEEWAY_MS))
})

test('nothing that was changed holds', (t) => {
  const key = createSigningKey()
  const ticket = signTicket(key, TERMS, 0)
  fc.assert(
    fc.property(fc.nat(ticket.length - 1), fc.constantFrom('A', 'z', '.', '-', '"'), (at, char) => {
      const changed = ticket.slice(0, at) + char + ticket.slice(at + 1)
      // the last character of a signature has bits that mean nothing
      return changed === ticket || at === ticket.length - 1 || !ticketHolds(changed, [key.public], TERMS, 0, LEEWAY_MS)
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => !ticketHolds(text, [key.public], TERMS, 0, LEEWAY_MS)))
  const [header, claims] = ticket.split('.')
  const none = Buffer.from('{"alg":"none"}').toString('base64url')
  for (const forged of [`${header}.${claims}.`, `${none}.${claims}.`, `${header}.${claims}`, `${ticket}.x`]) t.false(ticketHolds(forged, [key.public], TERMS, 0, LEEWAY_MS), forged)
})
