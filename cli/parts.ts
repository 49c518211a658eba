import type { AgentOptions, PeerOptions } from '../agent/app.ts'
import type { SeederOptions } from '../seeder/app.ts'
import type { TrackerOptions } from '../tracker/app.ts'
import { dashboardRoutes } from '../web/serve/routes.ts'
import { advertised, limitsOf, type ServiceSettings } from './settings.ts'

/** Settings as the parts take them; trackers and the store are added where the parts are composed. */

export function trackerOptions({ settings, log }: ServiceSettings): TrackerOptions {
  const zones = settings['tracker.zones']
  return {
    listen: settings['tracker.listen'],
    cluster: settings['tracker.cluster'],
    announceIntervalMs: settings['tracker.announceInterval'],
    requestRate: settings['tracker.requestRate'],
    ...(zones === undefined ? {} : { zones }),
    ...advertised(settings['tracker.advertiseIp']),
    pages: dashboardRoutes,
    log: log.child({ part: 'tracker' }),
  }
}

export function seederOptions(loaded: ServiceSettings): Omit<SeederOptions, 'trackers' | 'store'> {
  const { settings, registries, log } = loaded
  return {
    peerListen: settings['seeder.peerListen'],
    httpListen: settings['seeder.httpListen'],
    cluster: settings['seeder.cluster'],
    registry: settings['seeder.registry'],
    registries,
    watchRegistry: true,
    ...advertised(settings['seeder.advertiseIp']),
    engine: settings['seeder.engine'],
    ...limitsOf(loaded),
    upstreamIdleTimeoutMs: settings['seeder.idleTimeout'],
    upstreamConnections: settings['upstream.connections'],
    upstreamTotalConnections: settings['upstream.totalConnections'],
    manifestTtlMs: settings['seeder.tagTtl'],
    outageGraceMs: settings['auth.outageGrace'],
    serveStale: settings['seeder.serveStale'],
    log: log.child({ part: 'seeder' }),
  }
}

export function agentOptions({ settings, registries, log }: ServiceSettings): Omit<AgentOptions, 'trackers' | 'store' | 'logDir'> {
  return {
    listen: settings['agent.listen'],
    registry: settings['agent.registry'],
    registries,
    smallBlobBytes: settings['agent.smallBlob'],
    stallTimeoutMs: settings['agent.stallTimeout'],
    tagTtlMs: settings['agent.tagTtl'],
    outageGraceMs: settings['auth.outageGrace'],
    serveStale: settings['agent.serveStale'],
    log: log.child({ part: 'agent' }),
  }
}

export function peerOptions(loaded: ServiceSettings): PeerOptions {
  const { settings } = loaded
  const [zone, rack] = [settings['agent.zone'], settings['agent.rack']]
  const labels = { ...(zone === undefined ? {} : { zone }), ...(rack === undefined ? {} : { rack }) }
  return { listen: settings['agent.peerListen'], engine: settings['agent.engine'], ...labels, ...limitsOf(loaded), ...advertised(settings['agent.advertiseIp']) }
}
