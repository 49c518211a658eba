/** What becomes of a repository's images: shared in the cluster, fetched by each node itself, or refused. */
export type Rule = 'shared' | 'direct' | 'blocked'

/** For the whole registry (`true`), or for repositories by pattern. */
export type RuleScope = boolean | readonly string[]

/**
 * A pattern as a test: `*` stands for anything within one part of a name (up to the next slash), `**` for anything.
 * Everything else stands for itself.
 */
export function globTest(pattern: string): (text: string) => boolean {
  const source = pattern
    .split(/(\*\*?)/)
    .map((part) => (part === '**' ? '.*' : part === '*' ? '[^/]*' : part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')))
    .join('')
  const expression = new RegExp(`^${source}$`)
  return (text) => expression.test(text)
}

/** What is refused is refused, whatever else is said of it. */
export function ruleOf(scopes: { blocked?: RuleScope; direct?: RuleScope }): (repository: string) => Rule {
  const blocked = scopeTest(scopes.blocked)
  const direct = scopeTest(scopes.direct)
  return (repository) => (blocked(repository) ? 'blocked' : direct(repository) ? 'direct' : 'shared')
}

function scopeTest(scope: RuleScope | undefined): (repository: string) => boolean {
  if (scope === undefined || typeof scope === 'boolean') return () => scope === true
  const tests = scope.map(globTest)
  return (repository) => tests.some((matches) => matches(repository))
}

/** How much of a pattern is fixed: of several that match, the one that says most counts. */
export function literalLength(pattern: string): number {
  return pattern.replaceAll('*', '').length
}
