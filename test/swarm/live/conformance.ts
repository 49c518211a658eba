import type { ExecutionContext } from 'ava'
import type { CreateNode } from '../nodes.ts'
import { growthConformance } from './growth.ts'
import { identityConformance } from './identity.ts'
import { troubleConformance } from './trouble.ts'

/** What every engine with `live` must do beside the common suite. `nodes` makes engines that can reach each other. */
export function liveConformance(name: string, nodes: (t: ExecutionContext) => CreateNode): void {
  growthConformance(`${name}, live`, nodes)
  identityConformance(`${name}, live`, nodes)
  troubleConformance(`${name}, live`, nodes)
}
