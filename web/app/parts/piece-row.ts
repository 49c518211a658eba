import { html, useLayoutEffect, useRef, type VNode } from '../preact.ts'
import { columns } from '../view/pieces.ts'

export interface RowColours {
  has: string
  lacks: string
}

const HEIGHT = 14
/** From this width on pieces stand apart. */
const GAP_FROM = 5

/** A row of pieces as a picture; what it says stands beside it as a number. */
export function PieceRow({ bits, colours }: { bits: ArrayLike<number>; colours: RowColours }): VNode {
  const canvas = useRef<HTMLCanvasElement>(null)
  useLayoutEffect(() => {
    const place = canvas.current
    if (!place) return undefined
    const redraw = (): void => draw(place, bits, colours)
    redraw()
    const observer = new ResizeObserver(redraw)
    observer.observe(place)
    return () => observer.disconnect()
  }, [bits, colours])
  return html`<canvas class="piece-row" ref=${canvas} height=${HEIGHT} aria-hidden="true"></canvas>`
}

function draw(canvas: HTMLCanvasElement, bits: ArrayLike<number>, { has, lacks }: RowColours): void {
  const context = canvas.getContext('2d')
  const scale = devicePixelRatio
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)]
  if (!context || width === 0) return
  if (canvas.width !== width) canvas.width = width
  if (canvas.height !== height) canvas.height = height
  context.globalAlpha = 1
  context.clearRect(0, 0, width, height)
  const shares = columns(bits, width)
  const gap = width / shares.length >= GAP_FROM * scale ? Math.round(scale) : 0
  for (const [column, share] of shares.entries()) {
    const start = Math.round((column * width) / shares.length)
    const end = Math.round(((column + 1) * width) / shares.length) - gap
    context.globalAlpha = 1
    context.fillStyle = lacks
    context.fillRect(start, 0, end - start, height)
    if (share === 0) continue
    context.globalAlpha = share
    context.fillStyle = has
    context.fillRect(start, 0, end - start, height)
  }
}
