import type { SwarmEngine } from './engine.ts'
import { createWebtorrentEngine, type WebtorrentOptions } from './webtorrent/engine.ts'

/** The engines that move bytes between machines, as configuration names them. */
export const ENGINE_NAMES = ['webtorrent'] as const
export type EngineName = (typeof ENGINE_NAMES)[number]

export type EngineOptions = WebtorrentOptions

export function createEngine(name: EngineName, options: EngineOptions): SwarmEngine {
  switch (name) {
    case 'webtorrent':
      return createWebtorrentEngine(options)
  }
}
