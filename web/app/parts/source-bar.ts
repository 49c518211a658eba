import type { BytesBySource } from '../../../common/api/reports.ts'
import { bytesText, percentText } from '../format.ts'
import { html, type VNode } from '../preact.ts'
import { shares, SOURCE_WORDS } from '../view/pull-words.ts'
import type { Source } from '../view/throughput.ts'

/** Where bytes came from, as one bar. */
export function SourceBar({ bytes }: { bytes: Pick<BytesBySource, Source> }): VNode {
  const parts = shares(bytes).filter(({ share }) => share > 0)
  const text = parts.map(({ source, share, bytes: own }) => `${percentText(share)} ${SOURCE_WORDS[source]} (${bytesText(own)})`).join(', ')
  if (parts.length === 0) return html`<span class="muted">–</span>`
  return html`
    <span class="source-bar" role="img" aria-label=${text} title=${text}>
      ${parts.map(({ source, share }) => html`<span class=${`source ${source}`} style=${{ flexGrow: share }}></span>`)}
    </span>
  `
}
