import { cp, readdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { VERSION } from '../../common/version.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { ROOT } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { run, start } from '../helpers/process.ts'

/** Written by an installation or by tools, never part of a checkout. */
const NOT_CHECKED_OUT = new Set(['node_modules', '.git'])
/** 5 s on an idle machine; tests share theirs. */
const READY_LIMIT_MS = 20_000

test('a fresh checkout installs itself once, though two parts are started at once, and is ready soon after', async (t) => {
  const dir = await temporaryFolder(t)
  const checkout = join(dir, 'a checkout')
  for (const name of await readdir(ROOT)) {
    if (NOT_CHECKED_OUT.has(name)) continue
    await cp(join(ROOT, name), join(checkout, name), { recursive: true, filter: (path) => !path.endsWith('/node_modules') })
  }
  const launcher = join(dir, 'pantala')
  await symlink(join('a checkout', 'bin', 'pantala'), launcher)

  const [one, two] = await Promise.all([run(t, launcher, ['--version'], { cwd: '/' }), run(t, launcher, ['--version'], { cwd: dir })])
  for (const { code, stdout, stderr } of [one, two]) t.deepEqual([code, stdout], [0, `${VERSION}\n`], stderr)
  t.is([one, two].filter(({ stderr }) => stderr.includes('installing packages')).length, 1, 'one installs, the other waits')

  const [mirror, tracker, peers, http] = (await Promise.all([freePort(), freePort(), freePort(), freePort()])).map((port) => `127.0.0.1:${port}`) as [
    string,
    string,
    string,
    string,
  ]
  const places = ['--listen', mirror, '--tracker-listen', tracker, '--peer-listen', peers, '--http-listen', http]
  const started = performance.now()
  const up = start(t, launcher, ['up', '--registry', 'http://127.0.0.1:1', '--data', join(dir, 'data'), ...places], { cwd: dir })
  await eventually('the mirror is ready', () => answers(`http://${mirror}/readyz`), READY_LIMIT_MS)
  t.log(`ready after ${Math.round(performance.now() - started)} ms`)
  t.notRegex(up.stderr, /installing packages/)
  t.is(await up.stop('SIGTERM'), 0)
})
