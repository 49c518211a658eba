import { request } from 'node:http'
import type { ExecutionContext } from 'ava'
import type { AgentOptions } from '../../agent/app.ts'
import type { SeederOptions } from '../../seeder/app.ts'
import { startTestAgent as startAgent, type TestAgent } from '../seeder/agents.ts'
import { startSeeder, type TestSeeder } from '../seeder/seeders.ts'

/** An agent that soon stops waiting for whoever is silent; it asks the seeder that it is given. */
export function startTestAgent(t: ExecutionContext, registry: string, change: Partial<AgentOptions> = {}): Promise<TestAgent> {
  return startAgent(t, { registry, stallTimeoutMs: 1_000, ...change })
}

export interface Mirror {
  name: string
  base: string
}

/** What stands behind a `/v2/` front, in each of its forms: the seeder, an agent with a seeder, an agent alone. */
export async function startMirrors(
  t: ExecutionContext,
  registry: string,
  { seeder = {}, agent = {} }: { seeder?: Partial<SeederOptions>; agent?: Partial<AgentOptions> } = {},
): Promise<Mirror[]> {
  const started: TestSeeder = await startSeeder(t, registry, { engine: 'native', ...seeder })
  const withSeeder = await startTestAgent(t, registry, { localSeeder: started.seeder.address, ...agent })
  const alone = await startTestAgent(t, registry, agent)
  return [
    { name: 'seeder', base: started.base },
    { name: 'agent', base: withSeeder.base },
    { name: 'agent alone', base: alone.base },
  ]
}

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: Buffer
  /** The body as the distribution-spec's error, if it is one. */
  code: string | undefined
}

/** Sends exactly this path (nothing is normalised) and these headers; several values are several lines. */
export function ask(base: string, path: string, { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string | string[]> } = {}): Promise<Answer> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        const body = Buffer.concat(chunks)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body, code: errorCode(body) })
      })
    })
    sent.once('error', reject)
    sent.end()
  })
}

function errorCode(body: Buffer): string | undefined {
  try {
    const { errors } = JSON.parse(body.toString('utf8')) as { errors?: { code?: string; message?: string }[] }
    return typeof errors?.[0]?.message === 'string' ? errors[0].code : undefined
  } catch {
    return undefined
  }
}
