import { count } from '../format.ts'
import { html, type VNode } from '../preact.ts'
import { href, type Route } from '../route.ts'

export const PAGE_SIZE = 50

/** Which part of a list is shown, and the way to the others. */
export function Pager({ route, total, offset, shown }: { route: Route; total: number; offset: number; shown: number }): VNode {
  const to = (next: number): string => href(route.page, route.subject, { ...route.query, offset: next })
  const before = Math.max(0, offset - PAGE_SIZE)
  const after = offset + PAGE_SIZE
  return html`
    <nav class="pager" aria-label="Parts of the list">
      <span>${total === 0 ? 'none' : `${count(offset + 1)} to ${count(offset + shown)} of ${count(total)}`}</span>
      ${offset > 0 && html`<a href=${to(before)} rel="prev">Earlier</a>`}
      ${after < total && html`<a href=${to(after)} rel="next">Further</a>`}
    </nav>
  `
}

export function offsetOf({ query }: Route): number {
  const offset = Number(query['offset'] ?? 0)
  return Number.isSafeInteger(offset) && offset > 0 ? offset : 0
}
