import { createHash, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { openPage, startBrowser, takePictures } from '../helpers/browser.ts'
import { requirePrograms } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { startPantala } from '../helpers/pantala.ts'
import { eventually } from '../helpers/poll.ts'
import { freePort } from '../helpers/ports.ts'
import { getJson } from '../tracker/trackers.ts'

const BYTES = 24 * 1024 * 1024 + 777

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

test('a browser downloads a seeded file from the swarm, and from the seeder, and its digest matches', async (t) => {
  t.timeout(3 * 60_000)
  if (!requirePrograms(t, 'chromium')) return
  const dir = await temporaryFolder(t)
  const content = randomBytes(BYTES)
  await writeFile(join(dir, 'model one.bin'), content)
  const [tracker, peers] = (await Promise.all([freePort(), freePort()])).map((port) => `127.0.0.1:${port}`) as [string, string]
  const seed = startPantala(t, ['seed', join(dir, 'model one.bin'), '--listen', tracker, '--peer-listen', peers])
  await seed.waitFor(/seeding; Ctrl-C ends it/)
  const digest = sha256(content)
  t.true(seed.stdout.includes(digest))

  const watched = await openPage(await startBrowser(t))
  const { page, complaints, strangers } = watched
  await page.goto(`http://${tracker}/#/files`)
  await page.getByRole('link', { name: 'model one.bin' }).click()
  await page.getByRole('button', { name: 'Fetch from the swarm' }).waitFor()
  await takePictures(watched, 'file')
  const fetched = page.waitForEvent('download', { timeout: 90_000 })
  await page.getByRole('button', { name: 'Fetch from the swarm' }).click()
  const download = await fetched
  t.is(download.suggestedFilename(), 'model one.bin')
  t.is(sha256(await readFile(await download.path())), digest)
  await watched.picture('file-done')
  const { announces } = await getJson(`http://${tracker}/v1/stats`)
  t.true(announces.websocket > 0)

  const plain = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Take it from the seeder' }).click()
  t.is(sha256(await readFile(await (await plain).path())), digest)
  t.deepEqual(complaints, [])
  t.deepEqual(strangers, [])

  await page.close()
  await eventually('the tracker has noticed that the browser is gone', async () => (await getJson(`http://${tracker}/v1/stats`)).nodes.foreign === 0)
  t.is(await seed.stop(), 0)
})
