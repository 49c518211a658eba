import { html, useEffect, type ComponentChildren, type VNode } from '../preact.ts'

/** The page's heading, which names the window, too. */
export function Title({ text, detail, children }: { text: string; detail?: ComponentChildren; children?: ComponentChildren }): VNode {
  useEffect(() => {
    document.title = `${text} · Pantala`
  }, [text])
  return html`
    <div class="title">
      <h1>${text}</h1>
      ${detail !== undefined && html`<p class="detail">${detail}</p>`}
      ${children}
    </div>
  `
}
