/** A connection as the rule sees it. */
export interface Link {
  peerId: string
  /** True when we dialled. */
  dialled: boolean
}

/**
 * Two nodes that dial each other at once have two connections. Only whoever dialled a connection closes it, so that the two
 * never close both: of two that we dialled the later goes, of one each way the one that the larger id dialled.
 * @param added - the newest connection
 * @param others - the older ones
 * @returns which of our own dialled connections is one too many
 */
export function surplusLink<L extends Link>(ourId: string, added: L, others: readonly L[]): L | undefined {
  const twins = others.filter(({ peerId }) => peerId === added.peerId)
  if (added.dialled && twins.some(({ dialled }) => dialled)) return added
  const ours = added.dialled ? added : twins.find(({ dialled }) => dialled)
  const theirs = added.dialled ? twins.find(({ dialled }) => !dialled) : added
  return ours && theirs && ourId > added.peerId ? ours : undefined
}
