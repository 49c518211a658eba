import { html, useEffect, useRef, type VNode } from '../preact.ts'
import { href } from '../route.ts'

/** Finds images, swarms and nodes; `/` leads into it. */
export function SearchBox({ query }: { query: string }): VNode {
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return
      event.preventDefault()
      field.current?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
  const find = (event: Event): void => {
    event.preventDefault()
    location.hash = href('search', '', { q: field.current?.value.trim() })
  }
  return html`
    <form class="search" role="search" onSubmit=${find}>
      <input ref=${field} type="search" defaultValue=${query} key=${query} maxlength="256" placeholder="Image, digest or node" aria-label="Search images, digests and nodes" aria-keyshortcuts="/" />
    </form>
  `
}
