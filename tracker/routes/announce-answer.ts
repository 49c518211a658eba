import type { AnnouncedPeer, AnnounceResponse } from '../../common/api/announce.ts'

type SwarmAnswer = AnnounceResponse['swarms'][number]

/**
 * An answer to a batch as JSON, written down at once: one request may be answered with thousands of peers, and a general serialiser
 * needs several times as long for them. Ids, hosts and roles hold nothing that JSON escapes: they were checked when they came.
 */
export function announceAnswerText({ swarms, ...head }: AnnounceResponse): string {
  return `${JSON.stringify(head).slice(0, -1)},"swarms":[${swarms.map(swarmText).join(',')}]}`
}

function swarmText({ peers, ...rest }: SwarmAnswer): string {
  return `${JSON.stringify(rest).slice(0, -1)},"peers":[${peers.map(peerText).join(',')}]}`
}

function peerText({ id, host, port, role }: AnnouncedPeer): string {
  return `{"id":"${id}","host":${host === null ? 'null' : `"${host}"`},"port":${port},"role":"${role}"}`
}
