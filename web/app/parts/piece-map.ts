import type { SwarmDetail, SwarmPeer } from '../../../common/api/swarms.ts'
import { count, percentText } from '../format.ts'
import { html, useEffect, useMemo, useState, type VNode } from '../preact.ts'
import { href } from '../route.ts'
import { cssColour, onThemeChange } from '../theme.ts'
import { nodeLabels } from '../view/labels.ts'
import { bitCount, pieceBits, together } from '../view/pieces.ts'
import { PieceRow, type RowColours } from './piece-row.ts'

/** Which pieces each node has; one row a node. */
export function PieceMap({ detail }: { detail: SwarmDetail }): VNode {
  const colours = useColours()
  const bits = bitCount(detail)
  const labels = useMemo(() => nodeLabels(detail.peers), [detail.peers])
  const rows = useMemo(() => detail.peers.map((peer) => ({ peer, bits: pieceBits(peer, bits) })), [detail.peers, bits])
  const shares = useMemo(
    () =>
      together(
        rows.map((row) => row.bits),
        bits,
      ),
    [rows],
  )
  const { pieces, piecesPerBit } = detail
  return html`
    <div class="table-frame" role="region" aria-label="Pieces of each node" tabindex="0">
      <table class="pieces">
        <caption>Pieces of each node</caption>
        <thead>
          <tr><th scope="col">Node</th><th scope="col">${count(pieces)} pieces${piecesPerBit > 1 && `, ${count(piecesPerBit)} in each step`}</th><th scope="col" class="number">Has</th></tr>
        </thead>
        <tbody>
          ${rows.length > 1 && html`<tr class="all"><th scope="row">all together</th><td><${PieceRow} bits=${shares} colours=${colours} /></td><td class="number"></td></tr>`}
          ${rows.map(({ peer, bits: own }) => html`<${NodeRow} key=${peer.id} peer=${peer} label=${labels.get(peer.id)} bits=${own} colours=${colours} />`)}
        </tbody>
      </table>
    </div>
  `
}

function NodeRow({ peer, label, bits, colours }: { peer: SwarmPeer; label: string | undefined; bits: Uint8Array; colours: RowColours }): VNode {
  const { id, role, progress, complete } = peer
  const unknown = !complete && progress > 0 && peer.have === undefined
  return html`
    <tr>
      <th scope="row"><a href=${href('node', id)}>${label}</a>${role !== 'agent' && html`<span class="tag">${role === 'seeder' ? 'seeder' : 'client'}</span>`}</th>
      <td>${unknown ? html`<span class="muted">does not say which</span>` : html`<${PieceRow} bits=${bits} colours=${colours} />`}</td>
      <td class="number">${percentText(progress)}</td>
    </tr>
  `
}

function useColours(): RowColours {
  const read = (): RowColours => ({ has: cssColour('--accent'), lacks: cssColour('--track') })
  const [colours, setColours] = useState(read)
  useEffect(() => onThemeChange(() => setColours(read())), [])
  return colours
}
