import { engineConformance } from './engine-conformance.ts'
import { nativeNode } from './nodes.ts'

engineConformance('native', (t) => (role) => nativeNode(t, role))
