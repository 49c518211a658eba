import { MESSAGE, type BlockRequest } from './messages.ts'

/** Larger blocks are asked for by nobody: 16 KiB is usual, ours go up to this. */
export const MAX_BLOCK_BYTES = 512 * 1024
/** The largest message that is neither a block nor a bitfield: an extension's dictionary. */
export const MAX_MESSAGE_BYTES = 128 * 1024
const PIECE_HEAD_BYTES = 9

export interface WireHandler {
  /** A whole message without its length; the payload is valid during the call only. */
  onMessage(id: number, payload: Uint8Array): void
  /**
   * A block begins.
   * @returns where its bytes go (exactly `length` of them), or undefined to drop them
   */
  onBlock(block: BlockRequest): Uint8Array | undefined
  /** Bytes of a block have come. */
  onBlockBytes(bytes: number): void
  /** All bytes of the block have been copied. */
  onBlockEnd(block: BlockRequest): void
}

type State =
  | { kind: 'length' }
  | { kind: 'head'; length: number }
  | { kind: 'body'; length: number }
  | { kind: 'block'; block: BlockRequest; target: Uint8Array | undefined; filled: number }

/**
 * Cuts a stream into peer messages (BEP 3). Bytes are never joined: small messages gather in one reused buffer, data of `piece`
 * messages is copied once, to where it belongs.
 */
export class WireParser {
  readonly #handler: WireHandler
  readonly #maxMessageBytes: number
  #scratch = Buffer.allocUnsafe(1024)
  #filled = 0
  #state: State = { kind: 'length' }
  /** Length of the message whose head is being read. */
  #whole = 0
  #stopped = false

  /** @param bitfieldBytes - of the torrent; a longer message than that and {@link MAX_MESSAGE_BYTES} is no message */
  constructor(handler: WireHandler, bitfieldBytes = 0) {
    this.#handler = handler
    this.#maxMessageBytes = Math.max(MAX_MESSAGE_BYTES, 1 + bitfieldBytes)
  }

  /** Takes bytes in any portions. Throws an `Error` for a stream that no client of the protocol sends. */
  push(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#stopped; ) at = this.#state.kind === 'block' ? this.#copy(this.#state, chunk, at) : this.#gather(this.#state, chunk, at)
  }

  /** Nothing more is understood, not even what has come already. */
  stop(): void {
    this.#stopped = true
  }

  /** The rest of the block that is arriving goes nowhere: its place may be somebody else's by now. */
  dropBlock(): void {
    if (this.#state.kind === 'block') this.#state.target = undefined
  }

  #copy(state: Extract<State, { kind: 'block' }>, chunk: Uint8Array, at: number): number {
    const taken = Math.min(chunk.length - at, state.block.length - state.filled)
    state.target?.set(chunk.subarray(at, at + taken), state.filled)
    state.filled += taken
    this.#handler.onBlockBytes(taken)
    if (state.filled === state.block.length) {
      this.#state = { kind: 'length' }
      this.#handler.onBlockEnd(state.block)
    }
    return at + taken
  }

  #gather(state: Exclude<State, { kind: 'block' }>, chunk: Uint8Array, at: number): number {
    const wanted = state.kind === 'length' ? 4 : state.length
    if (wanted > this.#scratch.length) {
      const larger = Buffer.allocUnsafe(wanted)
      larger.set(this.#scratch.subarray(0, this.#filled))
      this.#scratch = larger
    }
    const taken = Math.min(chunk.length - at, wanted - this.#filled)
    this.#scratch.set(chunk.subarray(at, at + taken), this.#filled)
    this.#filled += taken
    if (this.#filled === wanted) {
      this.#filled = 0
      this.#finish(state)
    }
    return at + taken
  }

  #finish(state: Exclude<State, { kind: 'block' }>): void {
    switch (state.kind) {
      case 'length':
        this.#begin(this.#scratch.readUInt32BE(0))
        return
      case 'head':
        this.#head(state.length, this.#scratch)
        return
      case 'body':
        this.#state = { kind: 'length' }
        this.#handler.onMessage(this.#scratch[0] ?? 0, this.#scratch.subarray(1, state.length))
    }
  }

  #begin(length: number): void {
    if (length === 0) return
    const most = Math.max(this.#maxMessageBytes, PIECE_HEAD_BYTES + MAX_BLOCK_BYTES)
    if (length > most) throw new Error(`a message of ${length} bytes, expected at most ${most}`)
    // whether it is a block shows in its first byte; messages shorter than a block's head are read whole
    this.#state = length <= PIECE_HEAD_BYTES ? { kind: 'body', length } : { kind: 'head', length: PIECE_HEAD_BYTES }
    if (this.#state.kind === 'head') this.#whole = length
  }

  #head(headLength: number, head: Buffer): void {
    if (head[0] !== MESSAGE.piece) {
      if (this.#whole > this.#maxMessageBytes) throw new Error(`a message of ${this.#whole} bytes, expected at most ${this.#maxMessageBytes}`)
      // the rest of the message gathers behind what is there
      this.#state = { kind: 'body', length: this.#whole }
      this.#filled = headLength
      return
    }
    const block = { piece: head.readUInt32BE(1), offset: head.readUInt32BE(5), length: this.#whole - PIECE_HEAD_BYTES }
    if (block.length > MAX_BLOCK_BYTES) throw new Error(`a block of ${block.length} bytes, expected at most ${MAX_BLOCK_BYTES}`)
    this.#state = { kind: 'block', block, target: this.#handler.onBlock(block), filled: 0 }
  }
}
