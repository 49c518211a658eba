import { percentText, rateText } from '../format.ts'
import { html, useEffect, useRef, useState, type VNode } from '../preact.ts'
import { downloadFromSwarm, LONELY_MS, type DownloadProgress, type SwarmDownload } from '../swarm-download.ts'
import { Bar } from './bar.ts'
import { Notice } from './notice.ts'

type State = { kind: 'idle' } | { kind: 'running'; progress: DownloadProgress; since: number } | { kind: 'done'; url: string } | { kind: 'failed'; message: string }

/** Fetches a file from the swarm in this browser, and hands it over. */
export function SwarmFetch({ id, name }: { id: string; name: string }): VNode {
  const [state, setState] = useState<State>({ kind: 'idle' })
  const running = useRef<SwarmDownload | undefined>(undefined)
  const link = useRef<HTMLAnchorElement>(null)
  useEffect(() => () => running.current?.stop(), [])
  useEffect(() => {
    if (state.kind !== 'done') return undefined
    link.current?.click()
    return () => URL.revokeObjectURL(state.url)
  }, [state.kind])

  const fetchIt = async (): Promise<void> => {
    setState({ kind: 'running', progress: { share: 0, bytesPerSecond: 0, peers: 0 }, since: Date.now() })
    const fail = (message: string): void => setState({ kind: 'failed', message })
    try {
      running.current = await downloadFromSwarm(id, {
        onProgress: (progress) => setState((before) => (before.kind === 'running' ? { ...before, progress } : before)),
        onDone: (file) => setState({ kind: 'done', url: URL.createObjectURL(file) }),
        onFailure: fail,
      })
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error))
    }
  }

  switch (state.kind) {
    case 'idle':
      return html`<button class="button" type="button" onClick=${() => void fetchIt()}>Fetch from the swarm</button>`
    case 'running':
      return html`<${Running} ...${state} />`
    case 'done':
      return html`<p role="status">Every piece was checked. <a ref=${link} class="button" href=${state.url} download=${name}>Save ${name}</a></p>`
    case 'failed':
      return html`<${Notice} tone="bad" title="The swarm did not do.">${state.message} Take it from the seeder instead.<//>`
  }
}

function Running({ progress: { share, bytesPerSecond, peers }, since }: { progress: DownloadProgress; since: number }): VNode {
  const lonely = peers === 0 && share === 0 && Date.now() - since > LONELY_MS
  const text = peers === 0 ? 'looking for peers' : `${percentText(share)} at ${rateText(bytesPerSecond)} from ${peers} ${peers === 1 ? 'peer' : 'peers'}`
  return html`
    <div class="fetching">
      <${Bar} share=${share} label="of the file" />
      <span class="muted">${text}</span>
    </div>
    ${lonely && html`<${Notice} title="Nobody can be reached over WebRTC.">It needs UDP between this browser and a seeder. Take the file from the seeder instead.<//>`}
  `
}
