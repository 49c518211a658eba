import type { ApiFailure } from '../api.ts'
import { html, type ComponentChildren, type VNode } from '../preact.ts'

/** Something that one should know. */
export function Notice({ tone = 'calm', title, children }: { tone?: 'calm' | 'bad'; title: string; children?: ComponentChildren }): VNode {
  return html`<div class=${`notice ${tone}`} role=${tone === 'bad' ? 'alert' : undefined}><strong>${title}</strong> ${children}</div>`
}

/** Instead of a list that has nothing in it: why, and what to do. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }): VNode {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`
}

/** While there is no answer yet, or when there was none. */
export function Waiting({ error, what }: { error: ApiFailure | undefined; what: string }): VNode {
  if (!error) return html`<p class="waiting" aria-busy="true">Asking for ${what} …</p>`
  return html`<${Notice} tone="bad" title=${`No ${what}.`}>${error.message}<//>`
}
