/** The parts of `create-torrent` 6 that swarm/create.ts uses. */
declare module 'create-torrent' {
  import type { Readable } from 'node:stream'

  export interface CreateTorrentOptions {
    name: string
    pieceLength: number
    private: boolean
    /** Further keys of the info dictionary. */
    info: Record<string, unknown>
    createdBy: string
    announceList: string[][]
    filterJunkFiles: boolean
  }

  export default function createTorrent(input: Readable, options: CreateTorrentOptions, callback: (error: Error | null, torrent?: Uint8Array) => void): void
}
