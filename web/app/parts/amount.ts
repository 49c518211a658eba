import type { Quantity } from '../format.ts'
import { html, type VNode } from '../preact.ts'

/** A number with a smaller unit. */
export function Amount({ value, unit }: Quantity): VNode {
  return html`<span class="amount">${value}${unit !== '' && html`<span class="unit"> ${unit}</span>`}</span>`
}
