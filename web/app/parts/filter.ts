import { html, type VNode } from '../preact.ts'
import { href, type Route } from '../route.ts'

export interface FilterChoice {
  value: string
  text: string
}

/** Narrows a list by one word of its query. */
export function Filter({ route, name, label, choices }: { route: Route; name: string; label: string; choices: readonly FilterChoice[] }): VNode {
  const current = route.query[name] ?? ''
  return html`
    <div class="filter" role="group" aria-label=${label}>
      ${choices.map(
        ({ value, text }) =>
          html`<a href=${href(route.page, route.subject, { ...route.query, offset: undefined, [name]: value })} aria-current=${value === current ? 'true' : undefined}>${text}</a>`,
      )}
    </div>
  `
}
