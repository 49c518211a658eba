import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/** Below the ports that the system gives to outgoing connections, which would take one away before it is used. */
const FIRST_PORT = 10_000
const LAST_PORT = 32_000
const MAX_TRIES = 50
/** A file for each port that a test process has been given, with its process id: test files run side by side. */
const GIVEN = join(tmpdir(), `pantala-test-ports-${userInfo().uid}`)

/** A loopback port that is free at this moment and that no other test is given, for programs that cannot be told to choose one. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  await mkdir(GIVEN, { recursive: true })
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT))
    if ((await isGiven(port)) && (await isFree(host, port))) return port
  }
  throw new Error(`no free port among ${MAX_TRIES} on ${host}`)
}

/** Whether the port is this process's from now on. */
async function isGiven(port: number): Promise<boolean> {
  const path = join(GIVEN, String(port))
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error
  }
  // what a process that has ended was given may be given again, the next time
  const owner = Number(await readFile(path, 'utf8').catch(() => ''))
  if (!isAlive(owner)) await rm(path, { force: true })
  return false
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}
