import type { SwarmPage as SwarmList, SwarmSummary } from '../../../common/api/swarms.ts'
import type { PageProps } from '../app.ts'
import { bytesText, count } from '../format.ts'
import { Empty, Waiting } from '../parts/notice.ts'
import { offsetOf, PAGE_SIZE, Pager } from '../parts/pager.ts'
import { Table, type Column } from '../parts/table.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { useResource } from '../use-live.ts'

const COLUMNS: readonly Column<SwarmSummary>[] = [
  { head: 'File', cell: ({ id, name, digest }) => html`<a href=${href('file', id)}>${name}</a><span class="under">${digest?.slice(0, 26)} …</span>` },
  { head: 'Size', kind: 'number', cell: ({ length }) => bytesText(length) },
  { head: 'Have it', kind: 'number', cell: ({ complete }) => count(complete) },
  { head: 'Downloading', kind: 'spare-number', cell: ({ incomplete }) => count(incomplete) },
]

/** Files that operators have seeded. */
export function FilesPage({ route }: PageProps): VNode {
  const { data, error } = useResource<SwarmList>(`/v1/swarms?kind=file&sort=busy&limit=${PAGE_SIZE}&offset=${offsetOf(route)}`, { events: ['swarm', 'swarm-removed'] })
  return html`
    <${Title} text="Files" detail="Published with pantala seed; anybody here may fetch them." />
    ${!data && html`<${Waiting} error=${error} what="files" />`}
    ${data?.total === 0 && html`<${Empty} title="No file is seeded."><p>On a seeder's machine: <code>pantala seed --detach FILE</code></p><//>`}
    ${data && data.total > 0 && html`<${Table} caption="Seeded files" columns=${COLUMNS} items=${data.swarms} keyOf=${({ id }: SwarmSummary) => id} /><${Pager} route=${route} total=${data.total} offset=${data.offset} shown=${data.swarms.length} />`}
  `
}
