import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'

const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url))
const START_LIMIT_MS = 30_000

const children: ChildProcess[] = []

/** Ends everything that was started here. */
export async function closeAll(): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null) return
      const gone = new Promise((resolve) => child.once('close', resolve))
      child.kill('SIGTERM')
      await gone
    }),
  )
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** docker-registry with these blobs in it. @returns its URL */
export async function startRegistry(dir: string, blobs: readonly Uint8Array[]): Promise<string> {
  const url = `http://127.0.0.1:${await freePort()}`
  const root = join(dir, 'registry')
  for (const bytes of blobs) await putBlob(root, bytes)
  const config = join(dir, 'registry.yml')
  await writeFile(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${root}}}\nhttp: {addr: ${url.slice('http://'.length)}}\n`,
  )
  launch('docker-registry', ['serve', config])
  await answers(`${url}/v2/`)
  return url
}

/** As the registry itself lays them down: pushing them would take longer than measuring. */
async function putBlob(root: string, bytes: Uint8Array): Promise<void> {
  const hex = createHash('sha256').update(bytes).digest('hex')
  const base = join(root, 'docker/registry/v2')
  const data = join(base, 'blobs/sha256', hex.slice(0, 2), hex)
  const link = join(base, 'repositories/bench/app/_layers/sha256', hex)
  for (const folder of [data, link]) await mkdir(folder, { recursive: true })
  await writeFile(join(data, 'data'), bytes)
  await writeFile(join(link, 'link'), `sha256:${hex}`)
}

/** nginx with sendfile over a folder, one worker, as Debian configures it otherwise. @returns its URL */
export async function startNginx(dir: string, files: string): Promise<string> {
  const port = await freePort()
  const config = join(dir, 'nginx.conf')
  const http = `access_log off; sendfile on; tcp_nopush on; client_body_temp_path ${dir}/nginx-body; proxy_temp_path ${dir}/nginx-proxy; server { listen 127.0.0.1:${port}; root ${files}; }`
  await writeFile(config, `user root;\ndaemon off;\nworker_processes 1;\npid ${dir}/nginx.pid;\nerror_log stderr crit;\nevents {}\nhttp { ${http} }\n`)
  launch('/usr/sbin/nginx', ['-c', config, '-p', dir])
  await answers(`http://127.0.0.1:${port}/`)
  return `http://127.0.0.1:${port}`
}

/** An agent without a cluster. @returns its mirror's URL */
export async function startAgentAlone(data: string, registry: string): Promise<string> {
  const [mirror, peers, tracker] = [await freePort(), await freePort(), await freePort()]
  const listens = ['--listen', `127.0.0.1:${mirror}`, '--peer-listen', `127.0.0.1:${peers}`, '--nodes', `127.0.0.1:${tracker}`]
  launch(process.execPath, [MAIN, 'agent', ...listens, '--registry', registry, '--data', data, '--log-level', 'error'])
  await answers(`http://127.0.0.1:${mirror}/v2/`)
  return `http://127.0.0.1:${mirror}`
}

function launch(command: string, args: readonly string[]): void {
  children.push(spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] }))
}

/** Waits until somebody answers, whatever. */
async function answers(url: string): Promise<void> {
  for (const until = performance.now() + START_LIMIT_MS; performance.now() < until; await sleep(100)) {
    const there = await fetch(url).then(
      (response) => response.arrayBuffer().then(() => true),
      () => false,
    )
    if (there) return
  }
  throw new Error(`${url} does not answer`)
}
