import { PantalaError } from '../../common/errors.ts'
import { formatHostPort, isLoopback, type HostPort } from '../../common/http/address.ts'
import type { MirrorTarget } from './target.ts'

const FILE = '/etc/docker/daemon.json'

/** Docker's `daemon.json`: the mirror goes before others, everything else stays as it is. */
export function dockerTarget(mirror: HostPort): MirrorTarget {
  const place = formatHostPort(mirror)
  return {
    file: FILE,
    merge(existing) {
      const config = existing === undefined || existing.trim() === '' ? {} : parse(existing)
      const mirrors = listOf(config, 'registry-mirrors')
      const insecure = listOf(config, 'insecure-registries')
      const url = `http://${place}`
      // Docker itself speaks plain HTTP to loopback only
      const trusted = isLoopback(mirror.host) || insecure.includes(place)
      if (mirrors.includes(url) && trusted && existing !== undefined) return existing
      const merged = {
        ...config,
        'registry-mirrors': [url, ...mirrors.filter((each) => each !== url)],
        ...(trusted ? {} : { 'insecure-registries': [...insecure, place] }),
      }
      return `${JSON.stringify(merged, undefined, indentOf(existing))}\n`
    },
    check: async () => {},
    notes: ['Docker asks mirrors for images of Docker Hub only.', 'Docker reads the mirrors again on: systemctl reload docker'],
  }
}

function parse(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new PantalaError('CONFIG_INVALID', 'it is not JSON, so Docker does not read it either: mend it first, or add the mirror by hand', { status: 400, cause })
  }
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw new PantalaError('CONFIG_INVALID', 'expected a JSON object', { status: 400 })
}

function listOf(config: Record<string, unknown>, key: string): string[] {
  const value = config[key] ?? []
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value as string[]
  throw new PantalaError('CONFIG_INVALID', `expected ${key} to be a list of texts`, { status: 400 })
}

function indentOf(text: string | undefined): string {
  return /^\{\s*\n([ \t]+)"/.exec(text ?? '')?.[1] ?? '  '
}
