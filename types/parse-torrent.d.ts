/** The parts of `parse-torrent` 11 that tests compare our own reading with. */
declare module 'parse-torrent' {
  export interface ParsedTorrent {
    infoHash: string
    name: string
    length: number
    pieceLength: number
    pieces: string[]
    private?: boolean
    announce: string[]
    createdBy?: string
  }
  export default function parseTorrent(torrent: Uint8Array): Promise<ParsedTorrent>
}
