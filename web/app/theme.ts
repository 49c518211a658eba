/** Light, dark, or as the system has it. Remembered in this browser. */

export const THEMES = ['auto', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]
const KEY = 'pantala-theme'

export function savedTheme(): Theme {
  try {
    return THEMES.find((theme) => theme === localStorage.getItem(KEY)) ?? 'auto'
  } catch {
    // a browser that keeps nothing shows what the system has
    return 'auto'
  }
}

export function applySavedTheme(): void {
  document.documentElement.dataset['theme'] = savedTheme()
}

export function setTheme(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // it holds until the page is left
  }
  window.dispatchEvent(new Event('themechange'))
}

/** A colour of the style sheet, for what is drawn on a canvas. */
export function cssColour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim()
}

/** Calls back when colours have changed. */
export function onThemeChange(listener: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  system.addEventListener('change', listener)
  window.addEventListener('themechange', listener)
  return () => {
    system.removeEventListener('change', listener)
    window.removeEventListener('themechange', listener)
  }
}
