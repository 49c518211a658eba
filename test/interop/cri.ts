import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../helpers/folder.ts'
import { eventually } from '../helpers/poll.ts'
import { writeHosts, type RuntimePlaces, type StartRuntime } from './runtimes.ts'

/**
 * What a kubelet says to pull an image: `runtime.v1.ImageService/PullImage`, gRPC over HTTP/2 on a unix socket. Two messages need no
 * library: a request is `{image: {image: NAME}, auth: {username, password}}`, an answer `{image_ref: TEXT}`, all of them length-delimited
 * fields, 1 and 2.
 * @returns the digest or id that the runtime names
 * @throws what the runtime says when it cannot
 */
export function criPull(socket: string, image: string, login?: RuntimePlaces['login']): Promise<string> {
  const auth = login ? field(2, Buffer.concat([field(1, Buffer.from(login.user)), field(2, Buffer.from(login.password))])) : Buffer.alloc(0)
  const message = Buffer.concat([field(1, field(1, Buffer.from(image))), auth])
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  message.copy(frame, 5)
  const session = connectHttp2('http://localhost', { createConnection: () => connect(socket) })
  return new Promise<string>((resolve, reject) => {
    session.once('error', reject)
    const stream = session.request({ ':method': 'POST', ':path': '/runtime.v1.ImageService/PullImage', 'content-type': 'application/grpc', te: 'trailers' })
    const chunks: Buffer[] = []
    let status = ''
    const note = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] !== undefined)
        status = headers['grpc-status'] === '0' ? 'ok' : `${String(headers['grpc-status'])}: ${decodeURIComponent(String(headers['grpc-message']))}`
    }
    stream.on('response', note)
    stream.on('trailers', note)
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', reject)
    stream.once('close', () => {
      const answer = Buffer.concat(chunks)
      if (status !== 'ok') reject(new Error(`PullImage ${image}: ${status || 'no answer'}`))
      else resolve(answer.subarray(7, 7 + (answer[6] ?? 0)).toString('utf8'))
    })
    stream.end(frame)
  }).finally(() => session.close())
}

/** A length-delimited field; names are short. */
function field(number: 1 | 2, bytes: Buffer): Buffer {
  if (bytes.length > 127) throw new Error('a length of more than one byte is not needed here')
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes])
}

/** containerd with its CRI plugin, as a kubelet uses it. */
export const startCri: StartRuntime = async (t, node, { mirror, origin, login }) => {
  const dir = await temporaryFolder(t)
  const socket = join(dir, 'c.sock')
  await writeCriConfig(dir)
  await writeHosts(join(dir, 'certs.d'), 'docker.io', mirror, `server = "http://${origin}"\n\n`)
  const daemon = node.start('containerd', ['--config', join(dir, 'config.toml')])
  const ctr = (...args: string[]) => node.run('ctr', ['--address', socket, '--namespace', 'k8s.io', ...args])
  await eventually('containerd answers', async () => (await ctr('version')).code === 0)
  return {
    name: 'CRI',
    async pull(repository, tag) {
      try {
        return { code: 0, stdout: await criPull(socket, `docker.io/${repository}:${tag}`, login), stderr: '' }
      } catch (error) {
        return { code: 1, stdout: '', stderr: String(error) }
      }
    },
    async digest(repository, tag) {
      const { stdout } = await ctr('images', 'ls', `name==docker.io/${repository}:${tag}`)
      return /sha256:[0-9a-f]{64}/.exec(stdout)?.[0] ?? ''
    },
    async stop() {
      await daemon.stop()
    },
  }
}

/** `config.toml` for a socket `c.sock` and hosts in `certs.d`, all in one folder. */
export async function writeCriConfig(dir: string): Promise<void> {
  const socket = join(dir, 'c.sock')
  const config = [
    'version = 2',
    `root = "${dir}/root"`,
    `state = "${dir}/state"`,
    `[grpc]\n  address = "${socket}"`,
    `[ttrpc]\n  address = "${socket}.ttrpc"`,
    `[plugins."io.containerd.internal.v1.opt"]\n  path = "${dir}/opt"`,
    `[plugins."io.containerd.grpc.v1.cri"]\n  stream_server_port = "0"`,
    `[plugins."io.containerd.grpc.v1.cri".containerd]\n  snapshotter = "native"`,
    `[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "${dir}/certs.d"`,
  ]
  await writeFile(join(dir, 'config.toml'), `${config.join('\n')}\n`)
}
