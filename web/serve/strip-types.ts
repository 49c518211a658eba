import { stripTypeScriptTypes } from 'node:module'

/**
 * JavaScript out of TypeScript with erasable syntax only: types become blanks, so lines and columns stay. Node calls the function
 * experimental and says so once on standard error, where operators look for what matters to them; the lock file pins the Node that we run on.
 */
export function stripTypes(code: string): string {
  const { emitWarning } = process
  process.emitWarning = (): void => {}
  try {
    return stripTypeScriptTypes(code)
  } finally {
    process.emitWarning = emitWarning
  }
}
