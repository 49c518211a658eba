import type { PeerAddress, PeerRole } from '../engine.ts'
import { peerRole } from '../peer-id.ts'
import type { Assembly } from './assembly.ts'
import { SLOT_BYTES } from './assembly.ts'
import { Bitset } from './bitset.ts'
import type { Connection } from './connection.ts'
import type { ExtendedHandshake } from './handshake.ts'
import { RateMeter } from './rate-meter.ts'
import { TalkBudget } from './talk-budget.ts'
import { UploadQueue } from './upload-queue.ts'
import { PeerWindow } from './upload-window.ts'
import { pieceOf, type View } from './view.ts'

/** Requests that ordinary clients queue when they do not say. */
const USUAL_REQUESTS = 64
const MAX_REQUESTS = 256

/** What a peer sends in this time is one block, within bounds. */
const BLOCK_SECONDS = 0.02
/** Where both sides are ours; smaller ones cost more than they help. */
const MIN_BLOCK_SLOTS = 4

/** A unit that this peer was asked for. */
export interface Assignment {
  index: number
  /** The next byte of the blob to ask for. */
  next: number
  /** Set when its first byte arrives. */
  assembly: Assembly<Peer> | undefined
  since: number
  /** Since when another peer is to send it instead: what was asked for is cancelled, and the answers are awaited. */
  yielding: number | undefined
}

/** What is known of one connected peer, and what goes on with it. */
export class Peer {
  readonly connection: Connection
  readonly view: View
  readonly role: PeerRole
  /** Pieces of its view that it has. */
  readonly have: Bitset
  readonly assigned = new Map<number, Assignment>()
  /** Blocks that were asked for and have not come, by their first byte. */
  readonly requested = new Map<number, number>()
  /** First byte of the block that is arriving and goes to its place. */
  receiving: number | undefined
  /** Blocks that it asked us for. */
  readonly queue = new UploadQueue()
  waitingSince = 0
  serving = false
  /** It does not send us anything now. */
  choking = true
  /** It may ask us. */
  unchoked = false
  saidInterested = false
  /** It has sent nothing for a while although it was asked. */
  snubbed = false
  /** How often in a row it has sent nothing of what it was asked for. */
  snubs = 0
  /** Before this it is asked for nothing. */
  askAgainAt = 0
  /** Since when it takes nothing of what it has asked for. */
  shutSince: number | undefined
  /** Bytes that it was asked for at any time. */
  asked = 0
  readonly talk = new TalkBudget()
  lastBlockAt: number
  readonly connectedAt: number
  downloaded = 0
  uploaded = 0
  /** What it sent us of late. */
  readonly rate = new RateMeter()
  /** Units that its readers wait for. */
  wants: { first: number; end: number } | undefined
  /** Its extended handshake has come. */
  introduced = false
  /** Its id for our `want` message. */
  wantId: number | undefined
  /** Its id for our `ack` message. */
  ackId: number | undefined
  /** Its id for our grants: it asks us for nothing else. */
  grantId: number | undefined
  /** Its id for grants that we do not use. */
  passId: number | undefined
  /** It is to be asked for what it grants, and nothing else. */
  grants = false
  /** Units that we may ask it for. */
  credit = 0
  acknowledgements = 0
  blocksSent = 0
  /** What is on its way to it. */
  readonly window = new PeerWindow()
  /** Bytes of blocks from it that it has not been told to have come. */
  unacknowledged = 0
  #blockBytes = SLOT_BYTES
  #requests = USUAL_REQUESTS
  #port: number | undefined

  constructor(connection: Connection, view: View, now: number) {
    this.connection = connection
    this.view = view
    this.role = peerRole(connection.peerId)
    this.have = new Bitset(view.pieces)
    this.connectedAt = now
    this.lastBlockAt = now
  }

  get ours(): boolean {
    return this.role !== 'foreign'
  }

  get address(): PeerAddress {
    const { address, dialled } = this.connection
    return dialled || this.#port === undefined ? address : { host: address.host, port: this.#port }
  }

  /** Requests that may be on their way at once. */
  get maxRequests(): number {
    return Math.min(MAX_REQUESTS, this.#requests)
  }

  /** It acknowledges what it receives. */
  get windowed(): boolean {
    return this.ackId !== undefined
  }

  /** Bytes to ask for at a time: so many that a block does not hold up a link for long. */
  blockBytes(now: number): number {
    const slots = Math.ceil((this.rate.value(now) * BLOCK_SECONDS) / SLOT_BYTES)
    return Math.min(this.#blockBytes, Math.max(MIN_BLOCK_SLOTS, slots) * SLOT_BYTES)
  }

  offers(unit: number): boolean {
    return this.have.has(pieceOf(this.view, unit))
  }

  introduce({ port, requests, blockBytes, wantId, ackId, grantId, passId, wants }: ExtendedHandshake, ownBlockBytes: number): void {
    this.#port = port
    this.wantId = wantId
    this.ackId = ackId
    this.grantId = grantId
    this.passId = passId
    this.grants = passId !== undefined
    if (wants) this.wants = wants
    this.introduced = true
    if (requests !== undefined) this.#requests = requests
    if (blockBytes !== undefined && this.ours) this.#blockBytes = Math.min(blockBytes, ownBlockBytes)
  }
}
