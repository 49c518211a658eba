import type { SwarmDetail } from '../../../common/api/swarms.ts'
import type { PageProps } from '../app.ts'
import { bytesText, count } from '../format.ts'
import { Waiting } from '../parts/notice.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { useResource } from '../use-live.ts'

/** One seeded file, and the ways to get it. */
export function FilePage({ route }: PageProps): VNode {
  const { data, error } = useResource<SwarmDetail>(`/v1/swarms/${encodeURIComponent(route.subject)}?limit=1`, { events: ['swarm'] })
  if (!data) return html`<${Title} text="File" /><${Waiting} error=${error} what="such file" />`
  const { id, name, length, digest, complete } = data
  return html`
    <${Title} text=${name} detail=${html`${bytesText(length)}<span class="under code">${digest}</span>`} />
    <ul class="facts">
      <li>${count(complete)} ${complete === 1 ? 'node has' : 'nodes have'} it: <a href=${href('swarm', id)}>its swarm</a></li>
      <li>on a machine with Pantala: <code>pantala get ${digest} -o ${name} --nodes ${location.host}</code></li>
    </ul>
  `
}
