import { spawn } from 'node:child_process'
import { PantalaError } from '../errors.ts'
import type { BasicCredential } from './registry.ts'

const HELPER_TIMEOUT_MS = 15_000
const MAX_ANSWER_BYTES = 256 * 1024
const HELPER_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,100}$/
/** What helpers answer for a host that they know nothing of. */
const NOT_FOUND = /credentials not found/i
/** Helpers hand out identity tokens under this user; those are for another kind of token request. */
const IDENTITY_TOKEN_USER = '<token>'

/**
 * Asks `docker-credential-<name>` (the protocol of docker-credential-helpers): the host goes in by standard input, the
 * credential comes by standard output, so that neither stands among a process's arguments.
 * @returns undefined when the helper knows none
 * @throws {PantalaError} `CREDENTIAL_UNAVAILABLE` (500)
 */
export async function askCredentialHelper(name: string, host: string): Promise<BasicCredential | undefined> {
  if (!HELPER_NAME.test(name)) throw failed(name, 'is no name of a helper')
  const { code, stdout } = await run(`docker-credential-${name}`, host)
  if (code !== 0) {
    if (NOT_FOUND.test(stdout)) return undefined
    throw failed(name, `ended with code ${code}`)
  }
  return readAnswer(name, stdout)
}

function run(program: string, input: string): Promise<{ code: number | null; stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], timeout: HELPER_TIMEOUT_MS, killSignal: 'SIGKILL' })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (stdout.length > MAX_ANSWER_BYTES) child.kill('SIGKILL')
    })
    child.once('error', (cause) => reject(new PantalaError('CREDENTIAL_UNAVAILABLE', `${program} cannot be run: install it or change the Docker configuration`, { cause })))
    child.once('close', (code) => resolve({ code, stdout }))
    // a helper that ends without reading says why by its exit code
    child.stdin.on('error', () => {})
    child.stdin.end(input)
  })
}

function readAnswer(name: string, text: string): BasicCredential | undefined {
  let answer: { Username?: unknown; Secret?: unknown }
  try {
    answer = JSON.parse(text) as typeof answer
  } catch {
    throw failed(name, 'did not answer with JSON')
  }
  const { Username: username, Secret: password } = answer ?? {}
  if (typeof username !== 'string' || typeof password !== 'string') throw failed(name, 'answered without Username and Secret')
  if (username === IDENTITY_TOKEN_USER) throw failed(name, 'keeps an identity token, which cannot be used here: log in with a user and a password')
  return username === '' ? undefined : { username, password }
}

function failed(name: string, what: string): PantalaError {
  return new PantalaError('CREDENTIAL_UNAVAILABLE', `the credential helper ${name} ${what}`)
}
