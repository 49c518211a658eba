import { readFile } from 'node:fs/promises'
import WebTorrent from 'webtorrent'

/** Seeds or downloads one torrent with webtorrent as it comes: webtorrent-client.ts TORRENT FOLDER. Prints "done" when complete. */

const [torrent = '', folder = ''] = process.argv.slice(2)
// the types know only the options that the engine uses
const client = new WebTorrent({ dht: false, lsd: false, utPex: false, natUpnp: false, natPmp: false, utp: false } as never) as unknown as {
  on(event: 'error', listener: (error: Error) => void): void
  add(torrent: Uint8Array, options: { path: string }, onTorrent: (torrent: { done: boolean; on(event: 'done', listener: () => void): void }) => void): void
}
const done = (): void => void process.stdout.write('done\n')
client.on('error', (error) => {
  process.stderr.write(`${error.stack}\n`)
  process.exitCode = 1
})
client.add(await readFile(torrent), { path: folder }, (added) => {
  if (added.done) done()
  else added.on('done', done)
})
