/** What is used of `ws`; test/swarm/packages.test.ts compares it with the package. */
declare module 'ws' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage } from 'node:http'
  import type { Duplex } from 'node:stream'

  /** Emits `message` with the bytes and whether they are binary, `pong`, `close` and `error`. */
  export class WebSocket extends EventEmitter {
    readonly bufferedAmount: number
    send(text: string): void
    ping(): void
    close(code?: number): void
    terminate(): void
  }

  export class WebSocketServer {
    constructor(options: { noServer: true; maxPayload: number; perMessageDeflate: false; clientTracking: false })
    handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, done: (socket: WebSocket) => void): void
    close(): void
  }
}
