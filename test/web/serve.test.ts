import test from 'ava'
import { createAssets } from '../../web/serve/assets.ts'
import { dashboardRoutes } from '../../web/serve/routes.ts'
import { startTracker } from '../tracker/trackers.ts'

test('the dashboard is served with a strict policy, and not twice', async (t) => {
  const { base } = await startTracker(t, { pages: dashboardRoutes })
  const page = await fetch(base)
  t.is(page.status, 200)
  t.is(page.headers.get('content-type'), 'text/html; charset=utf-8')
  const policy = page.headers.get('content-security-policy') ?? ''
  t.regex(policy, /default-src 'none'/)
  t.notRegex(policy, /unsafe|\*|https?:/)
  t.notRegex(await page.text(), /<script(?![^>]* src=)|<style|style=| on[a-z]+=|https?:\/\//, 'nothing inline, nothing of others')
  t.is((await fetch(`${base}/stats`)).status, 200)
  const etag = page.headers.get('etag') ?? ''
  const again = await fetch(base, { headers: { 'if-none-match': etag } })
  t.is(again.status, 304)
  t.is((await fetch(`${base}/app/../serve/routes.ts`)).status, 404)
  t.is((await fetch(`${base}/app/main.ts`)).headers.get('content-type'), 'text/javascript; charset=utf-8')
})

test('every module is JavaScript whose imports are served, too', async (t) => {
  const assets = createAssets()
  const modules = assets.paths.filter((path) => /\.(ts|m?js)$/.test(path))
  t.true(modules.length > 30)
  for (const path of modules) {
    const code = (await assets.read(path)).body.toString()
    if (path.startsWith('/app/')) t.notRegex(code, /^import type|^export (type|interface) /m, path)
    for (const [, name = ''] of code.matchAll(/^(?:import|export)\b[^'"`;]*?from\s*["']([^"']+)["']/gm)) {
      const target = new URL(name, `http://x${path}`)
      t.true(name.startsWith('/') || name.startsWith('.'), `${path} imports ${name}`)
      t.true(assets.paths.includes(target.pathname), `${path} imports ${name}`)
    }
  }
})
