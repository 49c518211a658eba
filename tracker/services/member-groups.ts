import type { PeerRecord } from './peer-records.ts'

/** From this size on a swarm's members are kept by zone; below half of it they are not. */
const INDEX_FROM = 64

/**
 * The members of one swarm by what they have in common. Zone and role of a peer never change (see {@link PeerRecord}).
 * Small swarms keep no index: there looking at everybody is as quick.
 */
export class MemberGroups {
  readonly seeders: PeerRecord[] = []
  #zones: Map<string, PeerRecord[]> | undefined

  /** @param members - all of them */
  zone(zone: string | undefined, members: readonly PeerRecord[]): readonly PeerRecord[] {
    if (zone === undefined) return NOBODY
    return this.#zones ? (this.#zones.get(zone) ?? NOBODY) : members.filter((peer) => peer.zone === zone)
  }

  /** @param members - with the new one */
  add(peer: PeerRecord, members: readonly PeerRecord[]): void {
    if (peer.role === 'seeder') this.seeders.push(peer)
    if (this.#zones) enter(this.#zones, peer)
    else if (members.length >= INDEX_FROM) {
      this.#zones = new Map()
      for (const each of members) enter(this.#zones, each)
    }
  }

  /** @param members - without it */
  remove(peer: PeerRecord, members: readonly PeerRecord[]): void {
    if (peer.role === 'seeder') leave(this.seeders, peer)
    if (members.length < INDEX_FROM / 2) this.#zones = undefined
    const group = peer.zone === undefined ? undefined : this.#zones?.get(peer.zone)
    if (peer.zone === undefined || !group) return
    leave(group, peer)
    if (group.length === 0) this.#zones?.delete(peer.zone)
  }
}

function enter(zones: Map<string, PeerRecord[]>, peer: PeerRecord): void {
  if (peer.zone === undefined) return
  const group = zones.get(peer.zone)
  if (group) group.push(peer)
  else zones.set(peer.zone, [peer])
}

/** Those that leave have mostly come late: they are looked for from the end, and no place has to be kept for each. */
function leave(group: PeerRecord[], peer: PeerRecord): void {
  const place = group.lastIndexOf(peer)
  const last = group.pop()
  if (last !== undefined && place >= 0 && place < group.length) group[place] = last
}

const NOBODY: readonly PeerRecord[] = []
