import { spawnSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'

/** Programs that tests use, and the Debian packages that bring them. */
const PACKAGES = {
  'docker-registry': 'docker-registry',
  skopeo: 'skopeo',
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  dockerd: 'docker.io',
  docker: 'docker.io',
  podman: 'podman',
  openssl: 'openssl',
  busybox: 'busybox-static',
  nsenter: 'util-linux',
  aria2c: 'aria2',
  chromium: 'chromium',
  ip: 'iproute2',
  iptables: 'iptables',
  'transmission-daemon': 'transmission-daemon',
  'python3-libtorrent': 'python3-libtorrent',
} as const
export type Program = keyof typeof PACKAGES

/**
 * True when all programs are there. Where one is missing the test must end: it counts as skipped, with the package's name in the
 * summary, except under CI, where it fails.
 */
export function requirePrograms(t: ExecutionContext, ...programs: Program[]): boolean {
  const missing = programs.filter((program) => !exists(program))
  if (missing.length === 0) return true
  return skip(t, `Debian package ${[...new Set(missing.map((program) => PACKAGES[program]))].join(', ')}`)
}

/** True when the test may make network namespaces and mounts. */
export function requireRoot(t: ExecutionContext): boolean {
  return process.getuid?.() === 0 || skip(t, 'root')
}

function skip(t: ExecutionContext, needed: string): boolean {
  if (process.env['CI']) {
    t.fail(`CI must have what this test needs: ${needed}`)
    return false
  }
  const notes = process.env['PANTALA_TEST_SKIPS']
  if (notes !== undefined) appendFileSync(notes, `${JSON.stringify({ test: t.title, needed })}\n`)
  t.log(`skipped: needs ${needed}`)
  t.pass()
  return false
}

function exists(program: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', program]).status === 0
}
