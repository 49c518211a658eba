import { spawn } from 'node:child_process'
import { glob, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * What `npm test` runs: ava over all test files; those named `*.full.test.ts` only with `PANTALA_TEST=full`. The last line of the output
 * has the counts.
 */

const root = new URL('..', import.meta.url).pathname
const full = process.env['PANTALA_TEST'] === 'full'
/** More would only wait for the machine's two cores, and starve programs that have time limits. */
const CONCURRENCY = '2'
/** Longer than the fault matrix, which may be the last test that runs. */
const TEST_TIMEOUT = '20m'

interface Skip {
  test: string
  needed: string
}

const files: string[] = []
for await (const file of glob('test/**/*.test.ts', { cwd: root })) {
  if (full || !file.endsWith('.full.test.ts')) files.push(file)
}
files.sort()
const notes = await mkdtemp(join(tmpdir(), 'pantala-test-run-'))
const skips = join(notes, 'skips')
try {
  const { code, counts } = await runAva()
  const skipped = await readSkips()
  for (const [needed, tests] of Map.groupBy(skipped, (skip) => skip.needed)) console.log(`skipped for want of ${needed}: ${tests.map(({ test }) => test).join('; ')}`)
  console.log(`${counts.passed - skipped.length} passed, ${counts.failed} failed, ${counts.skipped + skipped.length} skipped`)
  process.exitCode = code
} finally {
  await rm(notes, { recursive: true, force: true })
}

async function runAva(): Promise<{ code: number; counts: Record<'passed' | 'failed' | 'skipped', number> }> {
  const child = spawn(process.execPath, [join(root, 'node_modules/ava/entrypoints/cli.js'), '--tap', '--concurrency', CONCURRENCY, '--timeout', TEST_TIMEOUT, ...files], {
    cwd: root,
    env: { ...process.env, PANTALA_TEST_SKIPS: skips, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const counts = { passed: 0, failed: 0, skipped: 0 }
  let rest = ''
  for await (const text of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) show(line, counts)
  }
  show(rest, counts)
  const code = await new Promise<number>((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode)
    else child.once('close', (status) => resolve(status ?? 1))
  })
  return { code: code === 0 && counts.passed === 0 ? 1 : code, counts }
}

function show(line: string, counts: Record<'passed' | 'failed' | 'skipped', number>): void {
  if (/^not ok .*# TODO/.test(line) || /^ok .*# (SKIP|TODO)/.test(line)) counts.skipped++
  else if (line.startsWith('not ok ')) counts.failed++
  else if (line.startsWith('ok ')) counts.passed++
  else if (/^(TAP version|1\.\.\d|# (tests|pass|fail|skip))/.test(line)) return
  if (line !== '') console.log(line)
}

async function readSkips(): Promise<Skip[]> {
  const text = await readFile(skips, 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Skip)
}
