import test from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { openPage, startBrowser, takePictures } from '../helpers/browser.ts'
import { getJson, startTracker } from '../tracker/trackers.ts'
import { dashboardRoutes } from '../../web/serve/routes.ts'
import { announceCrowd, registerCrowd, swarmId } from './crowd.ts'

const SIZE = { nodes: 1_000, swarms: 500, members: 10 }
/** Rounds of announces of all nodes while somebody watches. */
const ROUNDS = 5
/** A page that does not react for this long is felt to hang. */
const LONGEST_PAUSE_MS = 500

test('a thousand nodes and five hundred swarms stay smooth', async (t) => {
  t.timeout(3 * 60_000)
  if (!requirePrograms(t, 'chromium')) return
  const { base } = await startTracker(t, { pages: dashboardRoutes })
  await registerCrowd(base, SIZE)
  await announceCrowd(base, SIZE, 0.1)
  const watched = await openPage(await startBrowser(t))
  const { page, complaints, strangers } = watched
  // scripts for the page are text: its types are not those of Node
  await page.addInitScript(`
    window.pauses = []
    new PerformanceObserver((list) => pauses.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true })
  `)

  for (const [name, hash, ready] of [
    ['crowd-overview', '#/', 'table tbody tr'],
    ['crowd-swarms', '#/swarms', 'table tbody tr'],
    ['crowd-nodes', '#/nodes', 'table tbody tr'],
    ['crowd-swarm', `#/swarm/${swarmId(6)}`, '.graph'],
    ['crowd-search', '#/search?q=service-25', 'table tbody tr'],
  ] as const) {
    await page.goto(`${base}/${hash}`)
    await page.waitForSelector(ready).catch(async (error: unknown) => {
      await watched.picture(`${name}-failed`)
      throw new Error(`${String(error)}\n${complaints.join('\n')}`)
    })
    const before = await page.locator('main').textContent()
    for (let round = 1; round <= ROUNDS; round++) await announceCrowd(base, SIZE, 0.1 + round * 0.12)
    if (name !== 'crowd-search') await page.waitForFunction(`document.querySelector('main').textContent !== ${JSON.stringify(before)}`)
    const rows = await page.locator('table tbody tr').count()
    t.true(rows <= 260, `${name} shows a page of a list, got ${rows} rows`)
    await takePictures(watched, name)
  }
  const { nodes, swarms } = await getJson(`${base}/v1/stats`)
  t.is(nodes.agents, SIZE.nodes)
  t.is(swarms.registered, SIZE.swarms)
  const pauses = (await page.evaluate('pauses')) as number[]
  t.log(`${pauses.length} long tasks, the longest ${Math.round(Math.max(0, ...pauses))} ms`)
  t.true(Math.max(0, ...pauses) < LONGEST_PAUSE_MS)
  t.deepEqual(complaints, [])
  t.deepEqual(strangers, [])
})
