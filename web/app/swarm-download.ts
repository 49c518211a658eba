/** The door to WebTorrent in the browser: it is loaded when somebody asks for a file, and finds its peers through the tracker alone. */

const MODULE: string = '/packages/webtorrent/dist/webtorrent.min.js'
/** Who finds nobody in this time should know that there is another way. */
export const LONELY_MS = 15_000
const SHOW_EVERY_MS = 250

export interface DownloadProgress {
  /** 0 to 1 */
  share: number
  bytesPerSecond: number
  peers: number
}

export interface SwarmDownload {
  stop(): void
}

export interface SwarmDownloadEvents {
  onProgress(progress: DownloadProgress): void
  /** The file, every piece of it checked. */
  onDone(file: Blob): void
  onFailure(message: string): void
}

interface BrowserTorrent {
  readonly progress: number
  readonly downloadSpeed: number
  readonly numPeers: number
  readonly files: readonly { blob(): Promise<Blob> }[]
  on(event: 'done' | 'error' | 'warning', listener: (error: Error) => void): void
}

interface BrowserClient {
  add(magnet: string): BrowserTorrent
  on(event: 'error', listener: (error: Error) => void): void
  destroy(): void
}

/** Gets a file from the swarm. @param id - of its torrent, 40 hex digits */
export async function downloadFromSwarm(id: string, { onProgress, onDone, onFailure }: SwarmDownloadEvents): Promise<SwarmDownload> {
  const { default: WebTorrent } = (await import(MODULE)) as { default: new (options: object) => BrowserClient }
  const client = new WebTorrent({ dht: false, lsd: false, utPex: false, webSeeds: false, tracker: { rtcConfig: { iceServers: [] } } })
  const tracker = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/announce`
  const fail = (error: Error): void => onFailure(error.message)
  client.on('error', fail)
  const torrent = client.add(`magnet:?xt=urn:btih:${id}&tr=${encodeURIComponent(tracker)}`)
  const timer = setInterval(() => onProgress({ share: torrent.progress, bytesPerSecond: torrent.downloadSpeed, peers: torrent.numPeers }), SHOW_EVERY_MS)
  torrent.on('error', fail)
  torrent.on('done', () => {
    clearInterval(timer)
    torrent.files[0]?.blob().then(onDone, fail)
  })
  return {
    stop() {
      clearInterval(timer)
      client.destroy()
    },
  }
}
