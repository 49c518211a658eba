import { PantalaError } from '../errors.ts'

/** Longest line: a record of a blob of several TiB. */
const MAX_LINE_CHARS = 64 * 1024 * 1024

/**
 * The values of a body of JSON lines, as they arrive. Empty lines are skipped.
 * @throws {PantalaError} `BAD_ANSWER` (502) for a line that is not JSON or longer than 64 MiB; what the body throws
 */
export async function* jsonLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let parts: string[] = []
  let length = 0
  for await (const chunk of body) {
    const lines = decoder.decode(chunk, { stream: true }).split('\n')
    const last = lines.pop() ?? ''
    for (const line of lines) {
      const text = parts.join('') + line
      parts = []
      length = 0
      if (text.trim() !== '') yield parseLine(text)
    }
    parts.push(last)
    length += last.length
    if (length > MAX_LINE_CHARS) throw new PantalaError('BAD_ANSWER', `a line of JSON is longer than ${MAX_LINE_CHARS} characters`, { status: 502 })
  }
  const rest = parts.join('')
  if (rest.trim() !== '') yield parseLine(rest)
}

function parseLine(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new PantalaError('BAD_ANSWER', 'a line is not JSON', { status: 502, cause })
  }
}
