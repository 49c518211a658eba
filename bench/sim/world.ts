import type { EventQueue } from './event-queue.ts'
import type { Link, SimNode } from './node.ts'
import type { Scenario } from './scenario.ts'
import type { ZoneLinks } from './zone-links.ts'

/** What all parts of a simulation share. */
export interface World {
  readonly scenario: Scenario
  readonly queue: EventQueue
  readonly random: () => number
  readonly units: number
  readonly nodes: readonly SimNode[]
  readonly zones: ZoneLinks
}

/** Bytes of a unit. */
export function unitBytes({ scenario, units }: World, unit: number): number {
  return unit === units - 1 ? scenario.size - unit * scenario.unit : scenario.unit
}

/** Milliseconds from one machine to the other without queues. */
export function wayMs({ self, other }: Link): number {
  return self.plan.access.latency + other.plan.access.latency
}

/** A message from `link.self` to `link.other`: it waits behind the data before it, but takes no room itself. */
export function tell({ queue }: World, link: Link, event: () => void): void {
  const heard = (): void => {
    if (link.connected) event()
  }
  queue.at(Math.max(queue.now, link.self.upFree) + wayMs(link), () => {
    if (link.throughAt > queue.now) queue.at(link.throughAt, heard)
    else heard()
  })
}

/**
 * Sends bytes from `link.self` to `link.other`: one block after another through the uplink, then through the downlink, which begins
 * with a block while the uplink still sends it.
 */
export function transmit({ queue, zones }: World, link: Link, bytes: number, event: () => void): void {
  const { self, other } = link
  const { up } = self.plan.access
  const { down } = other.plan.access
  self.upFree = Math.max(queue.now, self.upFree) + (bytes / up) * 1000
  self.sent += bytes
  const arrive = (): void => {
    if (!link.connected) return
    other.received += bytes
    event()
  }
  queue.at(zones.through(link, bytes, self.upFree) + wayMs(link), () => {
    const through = Math.max(queue.now, other.downFree + (bytes / down) * 1000)
    other.downFree = through
    link.throughAt = through
    if (through <= queue.now) arrive()
    else queue.at(through, arrive)
  })
}
