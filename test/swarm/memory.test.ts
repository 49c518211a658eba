import { engineConformance } from './engine-conformance.ts'
import { memoryNodes } from './nodes.ts'

engineConformance('memory', memoryNodes)
