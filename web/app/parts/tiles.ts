import { html, type VNode } from '../preact.ts'
import type { Tile } from '../view/tiles.ts'
import { Amount } from './amount.ts'

export function Tiles({ tiles }: { tiles: readonly Tile[] }): VNode {
  return html`
    <dl class="tiles">
      ${tiles.map(
        ({ label, value, unit, note }) => html`<div class="tile" key=${label}>
          <dt>${label}</dt>
          <dd class="tile-value"><${Amount} value=${value} unit=${unit} /></dd>
          <dd class="tile-note">${note}</dd>
        </div>`,
      )}
    </dl>
  `
}
