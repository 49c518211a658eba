import type { SwarmEngine } from './engine.ts'
import { createNativeEngine, type NativeOptions } from './native/engine.ts'
import { createWebtorrentEngine } from './webtorrent/engine.ts'

/** The engines that move bytes between machines, as configuration names them. */
export const ENGINE_NAMES = ['native', 'webtorrent'] as const
export type EngineName = (typeof ENGINE_NAMES)[number]

export type EngineOptions = Omit<NativeOptions, 'now' | 'random'>

export function createEngine(name: EngineName, options: EngineOptions): SwarmEngine {
  switch (name) {
    case 'native':
      return createNativeEngine(options)
    case 'webtorrent':
      return createWebtorrentEngine(options)
  }
}
