import type { SwarmDetail } from '../../../common/api/swarms.ts'
import type { PageProps } from '../app.ts'
import { bytes, count, percent } from '../format.ts'
import { FeedGraph } from '../parts/feed-graph.ts'
import { Empty, Waiting } from '../parts/notice.ts'
import { offsetOf, PAGE_SIZE, Pager } from '../parts/pager.ts'
import { PieceMap } from '../parts/piece-map.ts'
import { Tiles } from '../parts/tiles.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { useEvent, useResource } from '../use-live.ts'
import { applyProgress } from '../view/pieces.ts'
import { isFile, swarmTitle } from '../view/swarm-title.ts'
import type { Tile } from '../view/tiles.ts'

/** Progress comes by itself; who has come and gone is asked for every now and then. */
const REFRESH_MS = 3_000

export function SwarmPage({ route }: PageProps): VNode {
  const id = route.subject
  const offset = offsetOf(route)
  const { data, error, update } = useResource<SwarmDetail>(`/v1/swarms/${encodeURIComponent(id)}?limit=${PAGE_SIZE}&offset=${offset}`, { events: ['swarm'], refreshMs: REFRESH_MS })
  useEvent('progress', (news) => update((detail) => applyProgress(detail, news)))
  useEvent('swarm', (news) => news.id === id && update((detail) => ({ ...detail, ...news })))
  if (!data) return html`<${Title} text="Swarm" /><${Waiting} error=${error} what="such swarm" />`
  const { title } = swarmTitle(data)
  const total = data.complete + data.incomplete
  return html`
    <${Title} text=${title} detail=${html`<${Kinds} swarm=${data} />`} />
    <${Tiles} tiles=${tilesOf(data)} />
    ${total === 0 && html`<${Empty} title="Nobody is in this swarm now.">Nodes that have what it carries announce it every few minutes.<//>`}
    ${
      total > 0 &&
      html`
        <section aria-labelledby="pieces">
          <h2 id="pieces">Pieces</h2>
          <${PieceMap} detail=${data} />
          <${Pager} route=${route} total=${total} offset=${data.offset} shown=${data.peers.length} />
        </section>
        <section aria-labelledby="feeds">
          <h2 id="feeds">Who feeds whom</h2>
          <${FeedGraph} peers=${data.peers} />
        </section>
      `
    }
  `
}

function Kinds({ swarm }: { swarm: SwarmDetail }): VNode {
  const { kind, digest, images, id } = swarm
  return html`
    ${kind === 'live' ? 'Live swarm' : 'Torrent'}${digest !== undefined && html` of <a class="code" href=${href('blob', digest)}>${digest}</a>`}
    ${images.length > 1 && html`<span class="under">also in ${images.slice(1).join(', ')}</span>`}
    ${isFile(swarm) && html`<span class="under"><a href=${href('file', id)}>Download this file</a></span>`}
  `
}

function tilesOf({ complete, incomplete, progress, length, downloaded, pieces, pieceLength }: SwarmDetail): Tile[] {
  const { value, unit } = bytes(pieceLength)
  return [
    { label: 'Progress', ...percent(progress), note: incomplete === 0 ? 'everybody has it' : 'of all its nodes on average' },
    { label: 'Have it', value: count(complete), unit: complete === 1 ? 'node' : 'nodes', note: `${count(incomplete)} are downloading` },
    { label: 'Size', ...bytes(length), note: `${count(pieces)} pieces of ${value} ${unit}` },
    { label: 'Moved', ...bytes(downloaded), note: 'as its nodes announce it' },
  ]
}
