import uPlot from 'uplot'
import { rateText } from '../format.ts'
import { cssColour } from '../theme.ts'
import { SOURCES, type Source, type Throughput } from '../view/throughput.ts'

/** The door to the library that draws charts. */

export interface Plot {
  show(data: Throughput): void
  resize(width: number, height: number): void
  close(): void
}

/** Times the size of letters. */
const AXIS_WIDTH = 7
const AXIS_HEIGHT = 2.4
/** A young chart is not stretched over the whole width. */
const LEAST_SECONDS = 120
/** Of axes, times the page's. */
const LETTERS = 0.8
/** An empty chart has a scale as well. */
const LEAST_TOP = 1024 * 1024

/** Lines of the throughput by source, in the colours that the page has now. */
export function createPlot(place: HTMLElement, width: number, height: number): Plot {
  const colours: Record<Source, string> = { peer: cssColour('--accent'), seeder: cssColour('--second'), upstream: cssColour('--third') }
  const letters = LETTERS * Number.parseFloat(getComputedStyle(document.documentElement).fontSize)
  const [text, grid] = [cssColour('--muted'), cssColour('--line')]
  const axis: uPlot.Axis = { stroke: text, font: `${letters}px system-ui, sans-serif`, grid: { stroke: grid, width: 1 }, ticks: { show: false } }
  const plot = new uPlot(
    {
      width,
      height,
      legend: { show: false },
      cursor: { show: false },
      scales: {
        x: { time: true, range: (_plot, first, last) => [Math.min(first, last - LEAST_SECONDS), last] },
        y: { range: (_plot, _low, high) => [0, Math.max(LEAST_TOP, high * 1.1)] },
      },
      axes: [
        { ...axis, size: AXIS_HEIGHT * letters, values: '{HH}:{mm}', incrs: [60, 120, 300], space: 6 * letters, grid: { show: false } },
        { ...axis, size: AXIS_WIDTH * letters, space: 3.5 * letters, values: (_plot, splits) => splits.map(rateText), incrs: binarySteps() },
      ],
      series: [
        {},
        ...SOURCES.map(
          (source): uPlot.Series => ({
            stroke: colours[source],
            width: source === 'peer' ? 2 : 1.5,
            points: { show: false },
            ...(source === 'peer' ? { fill: `${colours.peer}22` } : {}),
            ...(source === 'upstream' ? { dash: [4, 3] } : {}),
          }),
        ),
      ],
    },
    [[], [], [], []],
    place,
  )
  return {
    show: ({ at, rates }) => plot.setData([at, rates.peer, rates.seeder, rates.upstream]),
    resize: (newWidth, newHeight) => plot.setSize({ width: newWidth, height: newHeight }),
    close: () => plot.destroy(),
  }
}

/** Steps of the scale that are round in binary units. */
function binarySteps(): number[] {
  return [1, 1024, 1024 ** 2, 1024 ** 3, 1024 ** 4].flatMap((unit) => [1, 2, 5, 10, 20, 50, 100, 200, 500].map((step) => step * unit))
}
