import { engineConformance } from './engine-conformance.ts'
import { liveConformance } from './live/conformance.ts'
import { memoryNodes } from './nodes.ts'

engineConformance('memory', memoryNodes)
liveConformance('memory', memoryNodes)
