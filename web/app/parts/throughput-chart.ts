import { rate, rateText } from '../format.ts'
import { html, useEffect, useLayoutEffect, useRef, useState, type VNode } from '../preact.ts'
import { onThemeChange } from '../theme.ts'
import { SOURCE_WORDS } from '../view/pull-words.ts'
import { latest, SOURCES, type Throughput } from '../view/throughput.ts'
import { Amount } from './amount.ts'
import { createPlot, type Plot } from './plot.ts'

/** The throughput of the last minutes; the numbers of this moment stand beside it as text. */
export function ThroughputChart({ data }: { data: Throughput }): VNode {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<Plot | undefined>(undefined)
  const [theme, setTheme] = useState(0)

  useEffect(() => onThemeChange(() => setTheme((times) => times + 1)), [])
  useLayoutEffect(() => {
    const frame = place.current
    if (!frame) return undefined
    const drawn = createPlot(frame, frame.clientWidth, frame.clientHeight)
    plot.current = drawn
    const letters = fontSize()
    const observer = new ResizeObserver(() => {
      if (fontSize() === letters) drawn.resize(frame.clientWidth, frame.clientHeight)
      else setTheme((times) => times + 1)
    })
    observer.observe(frame)
    return () => {
      observer.disconnect()
      drawn.close()
    }
  }, [theme])
  useEffect(() => plot.current?.show(data), [data, theme])

  const text = SOURCES.map((source) => `${rateText(latest(data, source))} ${SOURCE_WORDS[source]}`).join(', ')
  return html`
    <figure class="chart">
      <figcaption>
        ${SOURCES.map(
          (source) =>
            html`<span class="legend" key=${source}><span class=${`swatch ${source}`} aria-hidden="true"></span>${SOURCE_WORDS[source]} <${Amount} ...${rate(latest(data, source))} /></span>`,
        )}
      </figcaption>
      <div class="chart-frame" ref=${place} role="img" aria-label=${`Throughput of the last minutes. Now ${text}`}></div>
    </figure>
  `
}

function fontSize(): string {
  return getComputedStyle(document.documentElement).fontSize
}
