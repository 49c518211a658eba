import type { ClusterView } from '../../../common/api/cluster.ts'

/**
 * Where a seeder gives a file over plain HTTP.
 * @param here - the host under which the tracker was reached: a seeder on its machine is named by it
 */
export function seederLink({ seeders }: Pick<ClusterView, 'seeders'>, seeder: string, id: string, here: string): string | undefined {
  const found = seeders.find((each) => each.id === seeder)
  if (!found) return undefined
  const host = found.host ?? here
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${found.port}/files/${id}`
}
