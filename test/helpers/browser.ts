import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { chromium, type BrowserContext, type Page } from 'playwright-core'
import { temporaryFolder } from './folder.ts'
import { ROOT } from './pantala.ts'

const CHROMIUM = '/usr/bin/chromium'
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-domain-reliability',
]

/** Where pictures of pages are kept; not in the repository. */
const PICTURES = join(ROOT, 'test-output', 'dashboard')

export const SCREENS = {
  desk: { width: 1280, height: 900 },
  phone: { width: 390, height: 844 },
  wall: { width: 2560, height: 1440 },
} as const

export interface Watched {
  readonly page: Page
  /** What pages have complained of: errors on the console, exceptions, what the policy refused. */
  readonly complaints: string[]
  /** Requests to any other host than this machine. */
  readonly strangers: string[]
  picture(name: string): Promise<void>
}

/** Debian's Chromium with an empty profile, which ends with the test. */
export async function startBrowser(t: ExecutionContext): Promise<BrowserContext> {
  const context = await chromium.launchPersistentContext(await temporaryFolder(t), { executablePath: CHROMIUM, headless: true, args: QUIET, viewport: SCREENS.desk })
  t.teardown(() => context.close())
  return context
}

/** A page whose complaints and requests are noted. */
export async function openPage(context: BrowserContext): Promise<Watched> {
  const page = await context.newPage()
  const complaints: string[] = []
  const strangers: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url())
    if (!['blob:', 'data:'].includes(protocol) && hostname !== '127.0.0.1') strangers.push(request.url())
  })
  return {
    page,
    complaints,
    strangers,
    async picture(name) {
      await mkdir(PICTURES, { recursive: true })
      await page.screenshot({ path: join(PICTURES, `${name}.png`) })
    },
  }
}

/** Pictures of what is shown, on every screen in both colours. */
export async function takePictures({ page, picture }: Watched, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    for (const [screen, size] of Object.entries(SCREENS)) {
      await page.setViewportSize(size)
      await picture(`${name}-${screen}-${colorScheme}`)
    }
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(SCREENS.desk)
}
