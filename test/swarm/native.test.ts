import { engineConformance } from './engine-conformance.ts'
import { liveConformance } from './live/conformance.ts'
import { nativeNode } from './nodes.ts'

engineConformance('native', (t) => (role) => nativeNode(t, role))
liveConformance('native', (t) => (role) => nativeNode(t, role))
