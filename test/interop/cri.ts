import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'

/**
 * What a kubelet says to pull an image: `runtime.v1.ImageService/PullImage`, gRPC over HTTP/2 on a unix socket. Two messages need no
 * library: a request is `{image: {image: NAME}}`, an answer `{image_ref: TEXT}`, each a length-delimited field 1.
 * @returns the digest or id that the runtime names
 * @throws what the runtime says when it cannot
 */
export function criPull(socket: string, image: string): Promise<string> {
  const message = field(field(Buffer.from(image)))
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

/** Field 1, length-delimited; names are short. */
function field(bytes: Buffer): Buffer {
  if (bytes.length > 127) throw new Error('a length of more than one byte is not needed here')
  return Buffer.concat([Buffer.from([0x0a, bytes.length]), bytes])
}
