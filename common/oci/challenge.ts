/** A `WWW-Authenticate` challenge (RFC 9110 §11.6.1; distribution's token specification). */
export type Challenge = { scheme: 'basic' } | { scheme: 'bearer'; realm: string; service?: string; scope?: string }

/** The challenge in a `WWW-Authenticate` header that we can answer, Bearer before Basic; undefined when there is none. */
export function parseChallenge(header: string | undefined): Challenge | undefined {
  if (header === undefined) return undefined
  const bearer = /(?:^|,)\s*bearer\s+(.*)$/i.exec(header)
  if (bearer?.[1] !== undefined) {
    const params = parseParams(bearer[1])
    const realm = params.get('realm')
    if (realm !== undefined && /^https?:/i.test(realm) && URL.canParse(realm)) {
      const service = params.get('service')
      const scope = params.get('scope')
      return { scheme: 'bearer', realm, ...(service === undefined ? {} : { service }), ...(scope === undefined ? {} : { scope }) }
    }
  }
  return /(?:^|,)\s*basic\b/i.test(header) ? { scheme: 'basic' } : undefined
}

/** `key="value"` or `key=value`, separated by commas; a quoted value may hold commas and escaped quotes. */
function parseParams(text: string): Map<string, string> {
  const params = new Map<string, string>()
  for (const [, key, quoted, bare] of text.matchAll(/([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi)) {
    if (key !== undefined) params.set(key.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '')
  }
  return params
}
