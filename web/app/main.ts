import { App } from './app.ts'
import { createLive } from './live.ts'
import { html, render } from './preact.ts'
import { applySavedTheme } from './theme.ts'

applySavedTheme()
const place = document.getElementById('app')
if (place) {
  place.replaceChildren()
  render(html`<${App} live=${createLive()} />`, place)
}
