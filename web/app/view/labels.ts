import { hostPort, shortNode } from '../format.ts'

export interface Named {
  id: string
  name?: string
  host?: string
  port?: number
}

/** What to call a node: its name, or where it listens, or the first digits of its id. */
export function nodeName({ id, name, host, port }: Named): string {
  return name ?? (host ? hostPort(host, port) : shortNode(id))
}

/** Names by id. Nodes of one name, as on one machine, are told apart by their ports. */
export function nodeLabels(nodes: Iterable<Named>): Map<string, string> {
  const all = [...nodes]
  const times = new Map<string, number>()
  for (const node of all) times.set(nodeName(node), (times.get(nodeName(node)) ?? 0) + 1)
  return new Map(
    all.map((node) => {
      const name = nodeName(node)
      const unique = times.get(name) === 1 || node.name === undefined
      return [node.id, unique ? name : `${name}:${node.port ?? shortNode(node.id)}`]
    }),
  )
}
