import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { requirePrograms, requireRoot } from '../helpers/debian.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { createLayout } from '../helpers/images.ts'
import { createNetwork, type Host } from '../helpers/netns.ts'
import { pieceLines, ROOT } from '../helpers/pantala.ts'
import { eventually } from '../helpers/poll.ts'

test('two agents behind one published port each feed each other', async (t) => {
  if (!requirePrograms(t, 'docker-registry', 'skopeo', 'ip', 'iptables') || !requireRoot(t)) return
  const network = await createNetwork(t)
  const supernode = await network.addHost([8001, 8002])
  const agents = [await network.addHost([65001]), await network.addHost([65001])] as const
  const layout = await createLayout(t)
  const image = await layout.add('v1', [1024, 9_000_000, 15_000_000])
  const dir = await temporaryFolder(t)

  const registry = `${supernode.ip}:5000`
  await writeFile(
    join(dir, 'registry.yml'),
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${join(dir, 'registry')}}}\nhttp: {addr: ${registry}}\n`,
  )
  supernode.start('docker-registry', ['serve', join(dir, 'registry.yml')])
  await eventually('the registry answers', () =>
    supernode.run('curl', ['-sf', `http://${registry}/v2/`]).then(
      () => true,
      () => false,
    ),
  )
  await supernode.run('skopeo', ['copy', '-q', '--preserve-digests', '--dest-tls-verify=false', `oci:${layout.dir}:v1`, `docker://${registry}/team/app:v1`])

  const node = (host: Host, args: string[]) => host.start(process.execPath, [join(ROOT, 'cli/main.ts'), ...args])
  const running = node(supernode, ['supernode', '--registry', `http://${registry}`, '--data', join(dir, 'supernode')])
  await running.waitFor(/is ready/)
  for (const [i, host] of agents.entries()) {
    const data = join(dir, `agent-${i}`)
    const agent = node(host, ['agent', '--listen', '0.0.0.0:65001', '--peer-listen', '0.0.0.0:65001', '--nodes', supernode.ip, '--registry', `http://${registry}`, '--data', data])
    await agent.waitFor(/is ready/)
    await mkdir(join(dir, `pulled-${i}`))
  }
  const pull = async (i: 0 | 1): Promise<void> => {
    await agents[i].run('skopeo', ['copy', '-q', '--preserve-digests', '--src-tls-verify=false', 'docker://127.0.0.1:65001/team/app:v1', `oci:${join(dir, `pulled-${i}`)}:v1`])
  }
  await pull(0)
  t.deepEqual(
    (await pieceLines(join(dir, 'agent-0'))).filter((line) => !line.includes(`cdnnode:${supernode.ip}~`)),
    [],
    'the first got everything from the seeder, by its outside address',
  )
  await eventually('the first agent is known to have it', async () => {
    const { peers } = JSON.parse(await supernode.run('curl', ['-s', 'http://127.0.0.1:8001/v1/peers'])) as { peers: { role: string; swarms: number; host: string; port: number }[] }
    return peers.some((peer) => peer.role === 'agent' && peer.swarms === 2 * image.blobs.length && peer.host === agents[0].ip && peer.port === 65001)
  })
  await agents[1].run('skopeo', ['inspect', '--raw', '--tls-verify=false', 'docker://127.0.0.1:65001/team/app:v1'])
  // the seeder falls silent: only the other agent can have the blobs now, and the tag is the last known
  await supernode.run('iptables', ['-I', 'INPUT', '-p', 'tcp', '--dport', '8002', '!', '-i', 'lo', '-j', 'REJECT'])
  await pull(1)
  const lines = await pieceLines(join(dir, 'agent-1'))
  t.true(lines.length >= image.blobs.length)
  t.deepEqual(
    lines.filter((line) => !line.includes(`"dstCid":"${agents[0].ip}-65001-`)),
    [],
    'the second got everything from the first',
  )
})
