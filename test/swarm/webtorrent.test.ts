import { engineConformance } from './engine-conformance.ts'
import { webtorrentNode } from './nodes.ts'

engineConformance('webtorrent', (t) => (role) => webtorrentNode(t, role))
