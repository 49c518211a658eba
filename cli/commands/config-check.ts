import { loadConfig } from '../../common/config/load.ts'
import type { Command } from '../command.ts'
import { EXIT } from '../exit-codes.ts'

export const configCheckCommand: Command = {
  name: 'config check',
  usage: 'FILE',
  summary: 'Says whether a configuration file is valid, or lists every problem.',
  settings: {},
  positionals: [1, 1],
  async run({ positionals: [file = ''] }) {
    const { warnings } = await loadConfig({ flags: new Map(), variables: {}, configPath: file })
    for (const warning of warnings) process.stderr.write(`${warning}\n`)
    process.stdout.write(`${file}: ok\n`)
    return EXIT.ok
  },
}
