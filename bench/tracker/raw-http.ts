import { connect, type Socket } from 'node:net'

/** A connection that asks one thing after the other: far less work than an HTTP client, so that the server is measured. */
export class RawHttp {
  readonly #port: number
  #socket: Socket | undefined
  #buffer: Buffer = Buffer.alloc(0)
  #settle: ((answer: Answer | undefined) => void) | undefined

  constructor(port: number) {
    this.#port = port
  }

  /** Undefined when the connection broke before an answer. A kept one that the server has ended meanwhile is replaced. */
  async ask(request: string): Promise<Answer | undefined> {
    const kept = this.#socket
    const answer = await this.#askOn(kept ?? (await this.#connect()), request)
    return answer ?? (kept ? this.#askOn(await this.#connect(), request) : undefined)
  }

  close(): void {
    this.#socket?.destroy()
  }

  #askOn(socket: Socket, request: string): Promise<Answer | undefined> {
    this.#socket = socket
    return new Promise((resolve) => {
      this.#settle = resolve
      if (socket.destroyed) this.#finish(undefined)
      else socket.write(request)
    })
  }

  async #connect(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    this.#buffer = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('close', () => {
      if (this.#socket !== socket) return
      this.#socket = undefined
      this.#finish(parse(this.#buffer, true))
    })
    return socket
  }

  #onData(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    const answer = parse(this.#buffer, false)
    if (answer) this.#finish(answer)
  }

  #finish(answer: Answer | undefined): void {
    const settle = this.#settle
    this.#settle = undefined
    this.#buffer = Buffer.alloc(0)
    if (answer?.last) {
      // the server ends the connection: the next request needs another one
      this.#socket?.destroy()
      this.#socket = undefined
    }
    settle?.(answer)
  }
}

export interface Answer {
  status: number
  body: Buffer
  last: boolean
}

function parse(buffer: Buffer, ended: boolean): Answer | undefined {
  const end = buffer.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const head = buffer.toString('latin1', 0, end).toLowerCase()
  const length = /content-length: (\d+)/.exec(head)?.[1]
  const body = buffer.subarray(end + 4)
  if (length === undefined ? !ended : body.length < Number(length)) return undefined
  return { status: Number(head.slice(9, 12)), body, last: ended || head.includes('connection: close') || head.startsWith('http/1.0') }
}
