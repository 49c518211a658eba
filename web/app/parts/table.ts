import { html, type ComponentChildren, type VNode } from '../preact.ts'

export interface Column<T> {
  head: string
  cell: (item: T) => ComponentChildren
  /** Numbers stand at the right; what is left out first when there is little room is `spare`. */
  kind?: 'number' | 'spare' | 'spare-number'
}

export interface TableProps<T> {
  /** Says what the table holds; for those who do not see it. */
  caption: string
  columns: readonly Column<T>[]
  items: readonly T[]
  keyOf: (item: T) => string
}

const CLASSES = { number: 'number', spare: 'spare', 'spare-number': 'spare number' } as const

/** The first column names the row. */
export function Table<T>({ caption, columns, items, keyOf }: TableProps<T>): VNode {
  const classOf = ({ kind }: Column<T>): string | undefined => (kind === undefined ? undefined : CLASSES[kind])
  return html`
    <div class="table-frame" role="region" aria-label=${caption} tabindex="0">
      <table>
        <caption>${caption}</caption>
        <thead><tr>${columns.map((column) => html`<th scope="col" class=${classOf(column)}>${column.head}</th>`)}</tr></thead>
        <tbody>
          ${items.map(
            (item) => html`<tr key=${keyOf(item)}>
              ${columns.map((column, index) =>
                index === 0 ? html`<th scope="row" class=${classOf(column)}>${column.cell(item)}</th>` : html`<td class=${classOf(column)}>${column.cell(item)}</td>`,
              )}
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
  `
}
