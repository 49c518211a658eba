import type { ExecutionContext } from 'ava'
import { succeed, undo } from './process.ts'

/** Makes a loopback port unreachable, for connections that stand as well, until the test ends. Needs root. */
export async function cutPort(t: ExecutionContext, port: number): Promise<void> {
  for (const side of ['--dport', '--sport']) {
    const rule = ['INPUT', '-i', 'lo', '-p', 'tcp', side, String(port), '-j', 'REJECT', '--reject-with', 'tcp-reset']
    await succeed(t, 'iptables', ['-w', '-I', ...rule])
    undo(t, 'iptables', ['-w', '-D', ...rule])
  }
}
