import test, { type ExecutionContext } from 'ava'
import type { BrowserContext } from 'playwright-core'
import { openPage, startBrowser, takePictures, type Watched } from '../helpers/browser.ts'
import { requirePrograms } from '../helpers/debian.ts'
import { createLayout, type TestImage } from '../helpers/images.ts'
import { startAgent, startSupernode, type StartedAgent, type StartedSupernode } from '../helpers/pantala.ts'
import { answers, eventually } from '../helpers/poll.ts'
import { startRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'
import { getJson } from '../tracker/trackers.ts'

const MIB = 1024 * 1024
const AGENTS = 8
const LARGEST = 200 * MIB
const LAYERS = [LARGEST, 80 * MIB, 20 * MIB, 1_000]

interface Cluster {
  supernode: StartedSupernode
  agents: StartedAgent[]
  image: TestImage
  base: string
}

async function startCluster(t: ExecutionContext): Promise<Cluster> {
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', LAYERS)
  await layout.push('v1', registry.direct, 'team/app')
  // slow enough to be watched
  const slow = ['--limit-upload', '16MiB']
  const supernode = await startSupernode(t, { registry: registry.url, extra: slow })
  const agents: StartedAgent[] = []
  for (let index = 0; index < AGENTS; index++) agents.push(await startAgent(t, { nodes: supernode.tracker, registry: registry.url, extra: slow }))
  for (const agent of agents) await eventually('the agent is ready', () => answers(`http://${agent.mirror}/readyz`))
  return { supernode, agents, image, base: `http://${supernode.tracker}` }
}

test('a pull of a 300 MiB image by eight agents is seen live', async (t) => {
  t.timeout(6 * 60_000)
  if (!requirePrograms(t, 'docker-registry', 'skopeo', 'chromium')) return
  const { agents, image, base } = await startCluster(t)
  const browser = await startBrowser(t)
  const watched = await openPage(browser)
  const { page, complaints, strangers } = watched
  await page.goto(base)
  await page.getByText('Nothing is shared yet.').waitFor()
  await takePictures(watched, 'empty')

  const pulls = Promise.all(agents.map(({ mirror }) => pull(t, mirror, 'team/app:v1')))
  await page.waitForSelector('table progress')
  const swarm = await largestUnderWay(base)
  await swarmFillsUp(t, watched, base, swarm)
  await page.goto(`${base}/#/`)
  await page.waitForSelector('.tiles')
  await takePictures(watched, 'overview-live')
  for (const { digest } of await pulls) t.is(digest, image.digest)

  await numbersMatch(t, watched, base)
  await pagesFill(t, watched, base, swarm)
  await keyboardWorks(t, browser, base)
  t.deepEqual(complaints, [])
  t.deepEqual(strangers, [])
})

async function largestUnderWay(base: string): Promise<string> {
  let seen: unknown
  return eventually(
    'the largest layer is under way',
    async () => {
      const { swarms } = await getJson(`${base}/v1/swarms?kind=live&limit=100`)
      seen = swarms
      return swarms.find(({ length, incomplete }: { length: number; incomplete: number }) => length > LARGEST && incomplete >= AGENTS)?.id
    },
    60_000,
    () => seen,
  )
}

async function swarmFillsUp(t: ExecutionContext, watched: Watched, base: string, swarm: string): Promise<void> {
  const { page } = watched
  await page.goto(`${base}/#/swarm/${swarm}`)
  await page.waitForSelector('.graph .edge')
  const shown = async (): Promise<number> => Number.parseInt((await page.locator('.tile-value').first().textContent()) ?? '', 10)
  await eventually('a quarter is there', async () => (await shown()) >= 25)
  await takePictures(watched, 'swarm-live')
  await page.locator('.graph').scrollIntoViewIfNeeded()
  await watched.picture('swarm-live-graph')
  const before = await shown()
  await eventually('it goes on by itself', async () => (await shown()) > before)
  t.is(await page.locator('table.pieces tbody tr').count(), AGENTS + 2, 'each agent, the seeder, and all together')
}

async function numbersMatch(t: ExecutionContext, { page }: Watched, base: string): Promise<void> {
  await eventually('the page says what the statistics say', async () => {
    const { nodes, egress, p2pShare, pulls, peers } = await getJson(`${base}/v1/stats`)
    const [agents, saved, share, , underWay] = await page.locator('.tile-value').allInnerTexts()
    return (
      pulls.complete === AGENTS * 5 &&
      agents === `${nodes.agents} agents` &&
      Math.abs(Number.parseFloat(saved ?? '') * 1024 - egress.saved / MIB) < 10 &&
      share === `${Math.round(p2pShare * 100)} %` &&
      underWay === `${peers.incomplete} downloads`
    )
  })
  t.pass()
}

async function pagesFill(t: ExecutionContext, watched: Watched, base: string, swarm: string): Promise<void> {
  const { page } = watched
  const { digest } = await getJson(`${base}/v1/swarms/${swarm}`)
  const { images } = await getJson(`${base}/v1/images?q=team/app:v1`)
  const { peers } = await getJson(`${base}/v1/peers?role=agent`)
  for (const [name, hash, rows] of [
    ['overview', '', 8],
    ['swarms', 'swarms', 10],
    ['swarm', `swarm/${swarm}`, AGENTS + 2],
    ['nodes', 'nodes', AGENTS + 1],
    ['node', `node/${peers[0].id}`, 5],
    ['blob', `blob/${digest}`, AGENTS + 2],
    ['image', `image/${images[0].digest}`, 5],
    ['search', 'search?q=team/app', 2],
  ] as const) {
    await page.goto(`${base}/#/${hash}`)
    await eventually(`${name} has its rows`, async () => (await page.locator('main tbody tr').count()) >= rows)
    t.is(await page.locator('main h1').count(), 1)
    t.regex(await page.title(), / · Pantala$/)
    await takePictures(watched, name)
  }
}

async function keyboardWorks(t: ExecutionContext, browser: BrowserContext, base: string): Promise<void> {
  const { page } = await openPage(browser)
  await page.goto(base)
  await page.waitForSelector('table tbody tr')
  const focused = async (): Promise<string> => (await page.evaluate('document.activeElement.textContent')) as string
  await page.keyboard.press('Tab')
  t.is(await focused(), 'To the content')
  for (let times = 0; times < 3; times++) await page.keyboard.press('Tab')
  t.is(await focused(), 'Swarms')
  await page.keyboard.press('Enter')
  await page.waitForSelector('h1:text-is("Swarms")')
  // a new page has the focus, once it is drawn
  await page.locator('#main:focus').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('team/app')
  await page.keyboard.press('Enter')
  await page.getByText(/\d+ found/).waitFor()
  for (const landmark of ['banner', 'navigation', 'main', 'contentinfo', 'search'] as const) t.true((await page.getByRole(landmark).count()) > 0, landmark)
  await page.goto(`${base}/#/swarm/${'0'.repeat(40)}`)
  await page.getByText('no swarm is registered under').waitFor()
}
