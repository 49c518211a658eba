import test from 'ava'
import { openPage, startBrowser } from '../helpers/browser.ts'
import { requirePrograms } from '../helpers/debian.ts'
import { freePort } from '../helpers/ports.ts'
import { register, startTracker } from '../tracker/trackers.ts'
import { dashboardRoutes } from '../../web/serve/routes.ts'

test('the page says that the tracker is away, and goes on by itself when it is back', async (t) => {
  t.timeout(2 * 60_000)
  if (!requirePrograms(t, 'chromium')) return
  const listen = { host: '127.0.0.1', port: await freePort() }
  const first = await startTracker(t, { listen, pages: dashboardRoutes })
  await register(first.base, undefined, { name: 'before.bin' })
  const { page } = await openPage(await startBrowser(t))
  await page.goto(`${first.base}/#/files`)
  await page.getByText('before.bin').waitFor()
  await first.tracker.stop()
  await page.getByRole('alert').getByText('The tracker does not answer.').waitFor()
  t.true(await page.getByText('before.bin').isVisible(), 'the last state stays')
  const second = await startTracker(t, { listen, pages: dashboardRoutes })
  await register(second.base, undefined, { name: 'after.bin' })
  await page.getByText('after.bin').waitFor()
  await page.getByRole('alert').waitFor({ state: 'detached' })
  t.is(await page.getByText('before.bin').count(), 0)
})
