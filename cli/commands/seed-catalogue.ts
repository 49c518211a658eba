import { SeedList } from '../../common/api/files.ts'
import { parser } from '../../common/api/schema.ts'
import { createHttpClient, type HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'
import type { Command, CommandContext } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { formatBytes } from '../progress.ts'
import { LOCAL_SEEDER, localSecretHeader, seederOf } from './seed.ts'

const parseList = parser(SeedList, "the seeder's answer")
const own = { seeder: { value: 'HOST:PORT', description: `Whose files (default ${LOCAL_SEEDER})` } }
const TIMEOUT_MS = 10_000

export const seedListCommand: Command = {
  name: 'seed ls',
  usage: '[--seeder HOST:PORT]',
  summary: 'Lists the files that the local seeder publishes.',
  settings: {},
  own,
  positionals: [0, 0],
  run: (context) =>
    withSeeder(context, async (http, base) => {
      const { seeds } = await requestJson(http, `${base}/v1/seeds`, { parse: parseList })
      for (const { id, name, length, digest } of seeds) process.stdout.write(`${id}  ${formatBytes(length).padStart(10)}  ${digest}  ${name}\n`)
    }),
}

export const seedRemoveCommand: Command = {
  name: 'seed rm',
  usage: 'ID… [--seeder HOST:PORT] [--data DIR]',
  summary: 'Ends the publication of files; the files stay.',
  settings: { data: ['seeder.data'] },
  own,
  positionals: [1, 1000],
  run: (context) =>
    withSeeder(context, async (http, base) => {
      const headers = await localSecretHeader(context)
      for (const id of context.positionals) await requestJson(http, `${base}/v1/seeds/${encodeURIComponent(id)}`, { method: 'DELETE', headers, parse: () => undefined })
    }),
}

async function withSeeder(context: CommandContext, work: (http: HttpClient, base: string) => Promise<void>): Promise<number> {
  const base = `http://${seederOf(context)}`
  const http = createHttpClient({ connectMs: TIMEOUT_MS, headersMs: TIMEOUT_MS, idleMs: TIMEOUT_MS })
  try {
    await work(http, base)
    return EXIT.ok
  } finally {
    await http.close()
  }
}
