import { Type, type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { PantalaError } from '../errors.ts'

/**
 * The door to the schema library. Contracts are written once with `Type`; servers give them to fastify,
 * clients parse answers with {@link parser}.
 */
export { Type }
export type { Static, TSchema }

/** Peer ids and info-hashes on the wire: 40 lower-case hex digits. */
export const Hex40 = Type.String({ pattern: '^[0-9a-f]{40}$' })
export const DigestText = Type.String({ pattern: '^sha256:[0-9a-f]{64}$' })
export const Port = Type.Integer({ minimum: 1, maximum: 65535 })
export const ByteCount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

/** The body of every error that a `/v1/` route answers with. */
export const ApiError = Type.Object({
  error: Type.Object({
    code: Type.String({ maxLength: 64 }),
    message: Type.String({ maxLength: 2000 }),
  }),
})

/**
 * A function that checks a value against a schema and returns it typed.
 * The function throws `BAD_ANSWER` (502) naming the first problem's path.
 */
export function parser<S extends TSchema>(schema: S, what: string): (value: unknown) => Static<S> {
  const validator = Compile(schema)
  return (value) => {
    if (validator.Check(value)) return value as Static<S>
    const [problem] = validator.Errors(value)
    const where = problem ? `${problem.instancePath || '/'} ${problem.message}` : 'does not match'
    throw new PantalaError('BAD_ANSWER', `${what}: ${where}`, { status: 502 })
  }
}
