import { composeServices, type Service } from '../lifecycle.ts'
import type { PortMux } from './port-mux.ts'
import type { HttpApp } from './server.ts'

/** Running answers get this long to finish when a part stops. */
const DRAIN_MS = 10_000

/** An HTTP application on its ports. When it stops, the ports are freed first, then running answers are finished. */
export function servePorts(app: HttpApp, muxes: readonly PortMux[]): Service {
  const ports = composeServices(muxes)
  return {
    async start() {
      await app.ready()
      await ports.start()
    },
    async stop() {
      await ports.stop()
      await app.close(DRAIN_MS)
    },
  }
}
