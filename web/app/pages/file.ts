import type { ClusterView } from '../../../common/api/cluster.ts'
import type { SwarmDetail } from '../../../common/api/swarms.ts'
import type { PageProps } from '../app.ts'
import { bytesText, count } from '../format.ts'
import { Empty, Notice, Waiting } from '../parts/notice.ts'
import { SwarmFetch } from '../parts/swarm-fetch.ts'
import { Title } from '../parts/title.ts'
import { html, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { useResource } from '../use-live.ts'
import { seederLink } from '../view/seeder-link.ts'
import { shellWord } from '../view/shell-word.ts'
import { isFile } from '../view/swarm-title.ts'

/** One seeded file, and the ways to get it: the swarm, or the seeder. */
export function FilePage({ route }: PageProps): VNode {
  const { data, error } = useResource<SwarmDetail>(`/v1/swarms/${encodeURIComponent(route.subject)}?limit=1`, { events: ['swarm'] })
  const cluster = useResource<ClusterView>('/v1/cluster')
  if (!data) return html`<${Title} text="File" /><${Waiting} error=${error} what="such file" />`
  const { id, name, length, digest, complete, seeder } = data
  if (!isFile(data) || data.access !== 'public') return html`<${Title} text="File" /><${Empty} title="This is no file that may be downloaded here." />`
  const plain = cluster.data && seederLink(cluster.data, seeder, id, location.hostname)
  return html`
    <${Title} text=${name} detail=${html`${bytesText(length)}<span class="under code">${digest}</span>`} />
    <div class="ways">
      ${isSecureContext && html`<${SwarmFetch} id=${id} name=${name} />`}
      ${plain !== undefined && html`<a class=${isSecureContext ? 'button plain' : 'button'} href=${plain} download=${name}>Take it from the seeder</a>`}
    </div>
    ${!isSecureContext && html`<${Notice} title="Only from the seeder.">Browsers take part in swarms only over HTTPS, or on the tracker's own machine.<//>`}
    <ul class="facts">
      <li>${count(complete)} ${complete === 1 ? 'node has' : 'nodes have'} it: <a href=${href('swarm', id)}>its swarm</a></li>
      <li>on a machine with Pantala: <code>pantala get ${digest} -o ${shellWord(name)} --nodes ${location.host}</code></li>
    </ul>
  `
}
