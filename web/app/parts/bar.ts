import { percentText } from '../format.ts'
import { html, type VNode } from '../preact.ts'

/** How much there is of a whole, with its number. */
export function Bar({ share, label }: { share: number; label: string }): VNode {
  return html`<span class="bar"><progress max="1" value=${share} aria-label=${label}></progress><span class="bar-number">${percentText(share)}</span></span>`
}
