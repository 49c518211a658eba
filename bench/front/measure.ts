import { spawn } from 'node:child_process'
import { Agent, get } from 'node:http'

const REQUESTS = 500
const LIMIT_SECONDS = '60'

/** Milliseconds of each of many requests, one after another on one connection. */
export async function latencies(url: string): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const once = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const started = performance.now()
      get(url, { agent }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`${url} answered ${response.statusCode}`))
        response.on('data', () => {})
        response.once('end', () => resolve(performance.now() - started))
      }).once('error', reject)
    })
  try {
    for (let i = 0; i < REQUESTS / 10; i++) await once()
    const found: number[] = []
    for (let i = 0; i < REQUESTS; i++) found.push(await once())
    return found
  } finally {
    agent.destroy()
  }
}

/** Megabytes a second that curl gets, all connections together. */
export async function rateOf(url: string, connections = 1): Promise<number> {
  const started = performance.now()
  const sizes = await Promise.all(Array.from({ length: connections }, () => curl(url)))
  return sizes.reduce((sum, size) => sum + size, 0) / 1e3 / (performance.now() - started)
}

function curl(url: string): Promise<number> {
  const child = spawn('curl', ['--silent', '--show-error', '--fail', '--max-time', LIMIT_SECONDS, '--output', '/dev/null', '--write-out', '%{size_download}', url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => (code === 0 ? resolve(Number(text)) : reject(new Error(`curl ${url} ended with ${code}`))))
  })
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
