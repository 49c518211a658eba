import { BlobPulls, ImageDetail, ImagePage } from '../../common/api/reports.ts'
import { parser } from '../../common/api/schema.ts'
import { PeerPage } from '../../common/api/stats.ts'
import { BlobSwarms, SwarmDetail } from '../../common/api/swarms.ts'
import { formatHostPort, type HostPort } from '../../common/http/address.ts'
import type { HttpClient } from '../../common/http/client.ts'
import { requestJson } from '../../common/http/json.ts'

/** What `pantala explain` asks a tracker. */
export interface TrackerQuestions {
  images(text: string): Promise<ImagePage['images']>
  image(digest: string): Promise<ImageDetail>
  swarms(digest: string): Promise<BlobSwarms['swarms']>
  swarm(id: string): Promise<SwarmDetail>
  pulls(digest: string): Promise<BlobPulls>
  /** Names of nodes by their ids, as far as the tracker knows them. */
  names(): Promise<Map<string, string>>
}

const PAGE = 500
const parseImages = parser(ImagePage, "the tracker's images")
const parseImage = parser(ImageDetail, "the tracker's image")
const parseSwarms = parser(BlobSwarms, "the tracker's swarms")
const parseSwarm = parser(SwarmDetail, "the tracker's swarm")
const parsePulls = parser(BlobPulls, "the tracker's pulls")
const parsePeers = parser(PeerPage, "the tracker's peers")

export function trackerQuestions(http: HttpClient, tracker: HostPort): TrackerQuestions {
  const ask = <T>(path: string, parse: (value: unknown) => T): Promise<T> => requestJson(http, `http://${formatHostPort(tracker)}${path}`, { parse })
  return {
    images: async (text) => (await ask(`/v1/images?limit=${PAGE}&q=${encodeURIComponent(text)}`, parseImages)).images,
    image: (digest) => ask(`/v1/images/${digest}`, parseImage),
    swarms: async (digest) => (await ask(`/v1/blobs/${digest}`, parseSwarms)).swarms,
    swarm: (id) => ask(`/v1/swarms/${id}?limit=${PAGE}`, parseSwarm),
    pulls: (digest) => ask(`/v1/blobs/${digest}/pulls?limit=${PAGE}`, parsePulls),
    async names() {
      const { peers } = await ask(`/v1/peers?limit=${PAGE}`, parsePeers)
      return new Map(peers.map(({ id, name, host }) => [id, name === undefined ? host : name]))
    },
  }
}
