import { html, useState, type VNode } from '../preact.ts'
import { savedTheme, setTheme, THEMES, type Theme } from '../theme.ts'

const SIGNS: Readonly<Record<Theme, string>> = { auto: '◐', light: '○', dark: '●' }
const WORDS: Readonly<Record<Theme, string>> = { auto: 'as the system', light: 'light', dark: 'dark' }

export function ThemeSwitch(): VNode {
  const [theme, show] = useState(savedTheme)
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto'
  const change = (): void => {
    setTheme(next)
    show(next)
  }
  const label = `Colours: ${WORDS[theme]}. Change to ${WORDS[next]}`
  return html`<button class="theme" type="button" onClick=${change} aria-label=${label} title=${label}>${SIGNS[theme]}</button>`
}
