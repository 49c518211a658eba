import { encodeBencode } from './bencode.ts'
import { infoHashOf, type BuiltInfo } from './metainfo.ts'

export interface LiveFields {
  /** Bytes in the blob. */
  length: number
  name: string
  /** Bytes in a unit. */
  unit: number
  /** The cluster's name. */
  source: string
  /** Names this copy's download, 16 hex digits. */
  generation: string
}

/**
 * The info dictionary of a live swarm: an ordinary one (BEP 3, 27) without piece hashes, so that its id is known before the first
 * byte. Two downloads of one blob are told apart by their generation.
 */
export function buildLiveInfo({ length, name, unit, source, generation }: LiveFields): BuiltInfo {
  const info = encodeBencode({ generation, length, name, 'piece length': unit, private: 1, source })
  return { id: infoHashOf(info), info }
}
