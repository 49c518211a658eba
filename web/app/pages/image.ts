import type { ImageDetail } from '../../../common/api/reports.ts'
import type { PageProps } from '../app.ts'
import { bytesText, count } from '../format.ts'
import { Waiting } from '../parts/notice.ts'
import { Table } from '../parts/table.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { useResource } from '../use-live.ts'
import { withoutRegistry } from '../view/swarm-title.ts'

type Blob = ImageDetail['blobs'][number]

/** One image: its blobs, each with a way to its page. */
export function ImagePage({ route }: PageProps): VNode {
  const { data, error } = useResource<ImageDetail>(`/v1/images/${encodeURIComponent(route.subject)}`)
  if (!data) return html`<${Title} text="Image" /><${Waiting} error=${error} what="such image" />`
  const { digest, names, blobs } = data
  const total = blobs.reduce((sum, { size }) => sum + size, 0)
  return html`
    <${Title} text=${withoutRegistry(names[0] ?? digest)} detail=${html`<span class="code">${digest}</span><span class="under">${count(blobs.length)} blobs, ${bytesText(total)}${names.length > 1 && `; also ${names.slice(1).join(', ')}`}</span>`} />
    <${Table}
      caption="Blobs of this image, the largest first"
      columns=${[
        { head: 'Blob', cell: (blob: Blob) => html`<a class="code" href=${href('blob', blob.digest)}>${blob.digest}</a>` },
        { head: 'Size', kind: 'number', cell: ({ size }: Blob) => bytesText(size) },
      ]}
      items=${blobs.toSorted((a, b) => b.size - a.size)}
      keyOf=${(blob: Blob) => blob.digest}
    />
  `
}
