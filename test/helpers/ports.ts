import { createServer } from 'node:net'

/** Below the ports that the system gives to outgoing connections, which would take one away before it is used. */
const FIRST_PORT = 10_000
const LAST_PORT = 32_000
const MAX_TRIES = 50

/** A loopback port that is free at this moment, for programs that cannot be told to choose one. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT))
    if (await isFree(host, port)) return port
  }
  throw new Error(`no free port among ${MAX_TRIES} on ${host}`)
}

function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}
