import test from 'ava'
import { openPersistently } from '../../../agent/services/open-persistently.ts'
import { PantalaError } from '../../../common/errors.ts'

function failing(codes: readonly string[], details: Record<string, unknown> = {}) {
  const left = [...codes]
  const asked = { times: 0 }
  const open = async (): Promise<string> => {
    asked.times++
    const code = left.shift()
    if (code !== undefined) throw new PantalaError(code, code, { details })
    return 'open'
  }
  return { asked, open }
}

const options = (signal = new AbortController().signal) => ({ signal, now: () => performance.now(), random: () => 0 })

test('what passes is waited for', async (t) => {
  const { asked, open } = failing(['UPSTREAM_UNREACHABLE', 'HTTP_TIMEOUT'])
  t.is(await openPersistently(open, options()), 'open')
  t.is(asked.times, 3)
})

test('a refusal is an answer', async (t) => {
  for (const code of ['BLOB_UNKNOWN', 'UNAUTHORIZED', 'DENIED', 'LOOP_DETECTED', 'STOPPING']) {
    const { asked, open } = failing([code])
    await t.throwsAsync(openPersistently(open, options()), { code })
    t.is(asked.times, 1, code)
  }
})

test('patience has an end, and no registry is waited for longer', async (t) => {
  let now = 0
  const { asked, open } = failing(Array(100).fill('UPSTREAM_UNREACHABLE'))
  const slow = async (): Promise<string> => {
    now += 5_000
    return open()
  }
  await t.throwsAsync(openPersistently(slow, { ...options(), now: () => now }), { code: 'UPSTREAM_UNREACHABLE' })
  t.is(asked.times, 3)
  const limited = failing(['TOOMANYREQUESTS'], { retryAfterMs: 60_000 })
  await t.throwsAsync(openPersistently(limited.open, options()), { code: 'TOOMANYREQUESTS' })
  t.is(limited.asked.times, 1)
})

test('a client that leaves ends it', async (t) => {
  const leaving = new AbortController()
  const { asked, open } = failing(Array(100).fill('HTTP_BROKEN'))
  const opened = openPersistently(open, options(leaving.signal))
  leaving.abort(new Error('the client left'))
  await t.throwsAsync(opened)
  t.is(asked.times, 1)
})
