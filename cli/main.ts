import { nearest } from '../common/config/suggest.ts'
import { describe, PantalaError } from '../common/errors.ts'
import { VERSION } from '../common/version.ts'
import { parseArguments } from './arguments.ts'
import type { Command } from './command.ts'
import { agentCommand } from './commands/agent.ts'
import { configCheckCommand } from './commands/config-check.ts'
import { explainCommand } from './commands/explain.ts'
import { getCommand } from './commands/get.ts'
import { mirrorConfigCommand } from './commands/mirror-config.ts'
import { preheatCommand } from './commands/preheat.ts'
import { seedCommand } from './commands/seed.ts'
import { seedListCommand, seedRemoveCommand } from './commands/seed-catalogue.ts'
import { seederCommand } from './commands/seeder.ts'
import { statsCommand } from './commands/stats.ts'
import { supernodeCommand } from './commands/supernode.ts'
import { trackerCommand } from './commands/tracker.ts'
import { upCommand } from './commands/up.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { helpOf, overview } from './help.ts'
import { settingsProblems } from './settings.ts'

export const COMMANDS: readonly Command[] = [
  upCommand,
  supernodeCommand,
  trackerCommand,
  seederCommand,
  agentCommand,
  getCommand,
  seedListCommand,
  seedRemoveCommand,
  seedCommand,
  preheatCommand,
  explainCommand,
  statsCommand,
  mirrorConfigCommand,
  configCheckCommand,
]

/** Runs one command line. @returns the exit code */
export async function main(argv: readonly string[]): Promise<number> {
  const [word = ''] = argv
  if (word === '' || word === '--help' || word === '-h' || word === 'help') {
    process.stdout.write(overview(COMMANDS, VERSION))
    return word === '' ? EXIT.usage : EXIT.ok
  }
  if (word === '--version' || word === 'version') {
    process.stdout.write(`${VERSION}\n`)
    return EXIT.ok
  }
  try {
    const found = findCommand(argv)
    if (!found) throw new PantalaError('USAGE', `there is no command ${JSON.stringify(word)}${meant(word)} pantala --help lists them`, { status: 400 })
    const parsed = parseArguments(found.command, found.rest)
    if (parsed.kind === 'help') {
      process.stdout.write(helpOf(found.command))
      return EXIT.ok
    }
    const { context, problems } = parsed
    if (problems.length > 0) throw new PantalaError('USAGE', [...problems, ...(await settingsProblems(found.command, context))].join('\n'), { status: 400 })
    return await found.command.run(context)
  } catch (error) {
    const text = error instanceof PantalaError ? describe(error) : error instanceof Error ? (error.stack ?? error.message) : String(error)
    for (const line of text.split('\n')) process.stderr.write(`pantala: ${line}\n`)
    return exitCodeOf(error)
  }
}

/** The command that is meant by a word that is none: one that begins with it, or is written nearly so. */
function meant(word: string): string {
  const names = COMMANDS.map(({ name }) => name)
  const name = names.find((each) => each.startsWith(`${word} `)) ?? nearest(word, names)
  return name === undefined ? ':' : `, did you mean ${JSON.stringify(name)}?`
}

/** The command with the longest name that the words begin with. */
function findCommand(argv: readonly string[]): { command: Command; rest: readonly string[] } | undefined {
  for (const command of COMMANDS.toSorted((a, b) => b.name.length - a.name.length)) {
    const words = command.name.split(' ')
    if (words.every((word, i) => argv[i] === word)) return { command, rest: argv.slice(words.length) }
  }
  return undefined
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
