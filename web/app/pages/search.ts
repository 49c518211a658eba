import type { ImagePage as ImageList, ImageSummary } from '../../../common/api/reports.ts'
import type { PeerPage } from '../../../common/api/stats.ts'
import type { SwarmPage as SwarmList } from '../../../common/api/swarms.ts'
import type { PageProps } from '../app.ts'
import { bytesText, count, shortId } from '../format.ts'
import { NodeTable } from '../parts/node-table.ts'
import { Empty, Waiting } from '../parts/notice.ts'
import { SwarmTable } from '../parts/swarm-table.ts'
import { Table } from '../parts/table.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { useResource } from '../use-live.ts'

/** Of each kind; the lists themselves have more. */
const SHOWN = 10

export function SearchPage({ route }: PageProps): VNode {
  const text = route.query['q'] ?? ''
  const q = encodeURIComponent(text)
  const images = useResource<ImageList>(`/v1/images?q=${q}&limit=${SHOWN}`)
  const swarms = useResource<SwarmList>(`/v1/swarms?q=${q}&sort=busy&limit=${SHOWN}`)
  const nodes = useResource<PeerPage>(`/v1/peers?q=${q}&sort=busy&limit=${SHOWN}`)
  const answers = [images, swarms, nodes]
  const found = answers.reduce((sum, { data }) => sum + (data?.total ?? 0), 0)
  const error = answers.find((answer) => answer.error)?.error
  const settled = answers.every(({ data }) => data !== undefined)
  return html`
    <${Title} text=${text === '' ? 'Search' : `Search for “${text}”`} />
    ${!settled && html`<${Waiting} error=${error} what="answer" />`}
    ${settled && html`<p class="hint" role="status">${count(found)} found</p>`}
    ${settled && found === 0 && html`<${Empty} title="Nothing is called that."><p>Search for a part of an image name, a digest, a node's name, address, zone or rack. Images are known once a seeder has served them.</p><//>`}
    ${images.data && images.data.total > 0 && html`<section><h2>Images</h2><${Images} images=${images.data.images} /></section>`}
    ${
      swarms.data &&
      swarms.data.total > 0 &&
      html`<section>
        <h2>Swarms</h2>
        <${SwarmTable} caption="Swarms that match" swarms=${swarms.data.swarms} />
        ${swarms.data.total > SHOWN && html`<p class="more"><a href=${href('swarms', '', { q: text })}>All ${count(swarms.data.total)} swarms</a></p>`}
      </section>`
    }
    ${
      nodes.data &&
      nodes.data.total > 0 &&
      html`<section>
        <h2>Nodes</h2>
        <${NodeTable} caption="Nodes that match" peers=${nodes.data.peers} />
        ${nodes.data.total > SHOWN && html`<p class="more"><a href=${href('nodes', '', { q: text })}>All ${count(nodes.data.total)} nodes</a></p>`}
      </section>`
    }
  `
}

function Images({ images }: { images: readonly ImageSummary[] }): VNode {
  const full = ({ name, tag }: ImageSummary): string => (tag === undefined ? name : `${name}:${tag}`)
  return html`<${Table}
    caption="Images that match"
    columns=${[
      { head: 'Image', cell: (image: ImageSummary) => html`<a href=${href('image', image.digest)}>${full(image)}</a><span class="under">${shortId(image.digest)}</span>` },
      { head: 'Blobs', kind: 'number', cell: ({ blobs }: ImageSummary) => count(blobs) },
      { head: 'Size', kind: 'number', cell: ({ bytes }: ImageSummary) => bytesText(bytes) },
    ]}
    items=${images}
    keyOf=${(image: ImageSummary) => `${full(image)} ${image.digest}`}
  />`
}
