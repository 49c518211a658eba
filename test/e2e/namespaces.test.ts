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
  const images = [await layout.add('v1', [1024, 9_000_000, 15_000_000]), await layout.add('v2', [2048, 7_000_000, 11_000_000])] as const
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
  for (const tag of ['v1', 'v2']) {
    await supernode.run('skopeo', ['copy', '-q', '--preserve-digests', '--dest-tls-verify=false', `oci:${layout.dir}:${tag}`, `docker://${registry}/team/app:${tag}`])
  }

  const node = (host: Host, args: string[]) => host.start(process.execPath, [join(ROOT, 'cli/main.ts'), ...args])
  const running = node(supernode, ['supernode', '--registry', `http://${registry}`, '--data', join(dir, 'supernode')])
  await running.waitFor(/is ready/)
  for (const [i, host] of agents.entries()) {
    const data = join(dir, `agent-${i}`)
    const agent = node(host, ['agent', '--listen', '0.0.0.0:65001', '--peer-listen', '0.0.0.0:65001', '--nodes', supernode.ip, '--registry', `http://${registry}`, '--data', data])
    await agent.waitFor(/is ready/)
    await mkdir(join(dir, `pulled-${i}`))
  }
  // each of the two is once the one that has it, and once the one that lacks it
  for (const [tag, image, giver, taker] of [
    ['v1', images[0], 0, 1],
    ['v2', images[1], 1, 0],
  ] as const) {
    const pull = async (i: 0 | 1): Promise<void> => {
      await agents[i].run('skopeo', [
        'copy',
        '-q',
        '--preserve-digests',
        '--src-tls-verify=false',
        `docker://127.0.0.1:65001/team/app:${tag}`,
        `oci:${join(dir, `pulled-${i}`)}:${tag}`,
      ])
    }
    const known = [await pieceLines(join(dir, 'agent-0')), await pieceLines(join(dir, 'agent-1'))] as const
    const added = async (i: 0 | 1): Promise<string[]> => (await pieceLines(join(dir, `agent-${i}`))).slice(known[i].length)
    await eventually(`${tag}: the seeder is asked again after it was silent`, () =>
      agents[giver].run('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://127.0.0.1:65001/team/app:${tag}`]).then(
        () => true,
        () => false,
      ),
    )
    await pull(giver)
    t.deepEqual(
      (await added(giver)).filter((line) => !line.includes(`cdnnode:${supernode.ip}~`)),
      [],
      `${tag}: the first got everything from the seeder, by its outside address`,
    )
    await eventually(`${tag}: the first is known to have it`, async () => {
      const { peers } = JSON.parse(await supernode.run('curl', ['-s', 'http://127.0.0.1:8001/v1/peers'])) as { peers: { role: string; host: string; port: number }[] }
      if (!peers.some((peer) => peer.role === 'agent' && peer.host === agents[giver].ip && peer.port === 65001)) return false
      for (const { digest } of image.blobs) {
        const { swarms } = JSON.parse(await supernode.run('curl', ['-s', `http://127.0.0.1:8001/v1/blobs/${digest}`])) as { swarms: { complete: number }[] }
        if (swarms.length === 0 || swarms.some(({ complete }) => complete < 2)) return false
      }
      return true
    })
    await agents[taker].run('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://127.0.0.1:65001/team/app:${tag}`])
    // the seeder falls silent: only the other agent can have the blobs now, and the tag is the last known
    const silence = ['INPUT', '-p', 'tcp', '--dport', '8002', '!', '-i', 'lo', '-j', 'REJECT']
    await supernode.run('iptables', ['-I', ...silence])
    await pull(taker)
    await supernode.run('iptables', ['-D', ...silence])
    const lines = await added(taker)
    t.true(lines.length >= image.blobs.length)
    t.deepEqual(
      lines.filter((line) => !line.includes(`"dstCid":"${agents[giver].ip}-65001-`)),
      [],
      `${tag}: the second got everything from the first`,
    )
  }
})
