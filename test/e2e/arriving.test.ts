import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { get } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { requirePrograms } from '../helpers/debian.ts'
import { createLayout } from '../helpers/images.ts'
import { startAgent, startSupernode, type StartedAgent } from '../helpers/pantala.ts'
import { eventually } from '../helpers/poll.ts'
import { startRegistry, type TestRegistry } from '../helpers/registry.ts'
import { pull } from '../helpers/skopeo.ts'

const MIB = 1024 * 1024

interface Scene {
  registry: TestRegistry
  agent: StartedAgent
  digest: string
  bytes: Buffer
  url: string
}

/** An agent that needs more than twenty seconds for a blob of 12 MiB that the seeder has. */
async function slowBlob(t: ExecutionContext): Promise<Scene> {
  const registry = await startRegistry(t)
  const layout = await createLayout(t)
  const image = await layout.add('v1', [12 * MIB])
  await layout.push('v1', registry.direct, 'team/app')
  const supernode = await startSupernode(t, { registry: registry.url, extra: ['--limit-upload', '512KiB'] })
  await pull(t, supernode.http, 'team/app:v1')
  const agent = await startAgent(t, { nodes: supernode.tracker, registry: registry.url })
  const digest = image.blobs[1]?.digest ?? ''
  const bytes = await readFile(join(layout.dir, 'blobs', 'sha256', digest.slice(7)))
  return { registry, agent, digest, bytes, url: `http://${agent.mirror}/v2/team/app/blobs/${digest}` }
}

async function stats({ mirror }: StartedAgent): Promise<{ downloads: number; store: { blobs: number }; bytes: { seeder: number } }> {
  return (await (await fetch(`http://${mirror}/v1/stats`)).json()) as { downloads: number; store: { blobs: number }; bytes: { seeder: number } }
}

/** Asks for a blob and leaves after some bytes. */
function leaveAfter(url: string, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = get(url, (answer) => {
      let seen = 0
      answer.on('data', (chunk: Buffer) => {
        seen += chunk.length
        if (seen >= count) outgoing.destroy()
      })
      answer.on('close', () => resolve())
      answer.on('error', () => {})
    })
    outgoing.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? resolve() : reject(error)))
  })
}

test.serial('a Range of a blob that is not there yet is fetched first and answered while the rest is on its way', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const { agent, bytes, url } = await slowBlob(t)
  let ended: 'whole' | 'range' | undefined
  const whole = fetch(url).then(async (answer) => {
    const body = Buffer.from(await answer.arrayBuffer())
    ended ??= 'whole'
    return body
  })
  await eventually('it arrives', async () => (await stats(agent)).bytes.seeder > 0)
  const [start, end] = [9 * MIB + 1_000, 9 * MIB + 301_000]
  const answer = await fetch(url, { headers: { range: `bytes=${start}-${end - 1}` } })
  t.is(answer.status, 206)
  t.is(answer.headers.get('content-range'), `bytes ${start}-${end - 1}/${bytes.length}`)
  t.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes.subarray(start, end))
  ended ??= 'range'
  t.is(ended, 'range', 'the rest was still on its way')
  t.deepEqual(await whole, bytes)
})

test.serial('a client that leaves does not stop the download for another', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const { registry, agent, bytes, url } = await slowBlob(t)
  const gets = registry.blobGets()
  const leaving = leaveAfter(url, 200_000)
  const staying = fetch(url).then(async (answer) => Buffer.from(await answer.arrayBuffer()))
  await leaving
  t.is((await stats(agent)).downloads, 1)
  t.deepEqual(await staying, bytes)
  t.deepEqual(registry.blobGets(), gets, 'upstream was not asked again')
})

test.serial('what the last client has left is finished in the background', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo')) return
  const { agent, bytes, digest, url } = await slowBlob(t)
  await leaveAfter(url, 100_000)
  t.is((await stats(agent)).downloads, 1)
  await eventually('it is complete', async () => (await stats(agent)).downloads === 0, 60_000)
  const found = await readFile(join(agent.data, 'blobs', 'sha256', digest.slice(7, 9), digest.slice(7)))
  t.is(`sha256:${createHash('sha256').update(found).digest('hex')}`, digest)
  t.is(found.length, bytes.length)
})
