import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { requireProgram } from '../machine/find-program.ts';

/** Where the screenshots of a test run go. Git ignores the folder. */
const SCREENSHOTS = 'test-output/screenshots';

/** A page in the browser, with everything that it complained about or asked for elsewhere. */
export interface Tab extends AsyncDisposable {
  readonly page: Page;
  /** Errors of the console and of scripts, and requests beyond loopback. */
  readonly complaints: string[];
  screenshot(name: string): Promise<void>;
}

/** Debian's chromium. The caller closes the browser. */
export function startBrowser(): Promise<Browser> {
  // Root has no sandbox of its own.
  return chromium.launch({ executablePath: requireProgram('chromium'), args: ['--no-sandbox'] });
}

export async function openTab(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', ({ message }) => void complaints.push(message));
  page.on('request', (request) => {
    const asked = request.url();
    if (!asked.startsWith('data:') && new URL(asked).hostname !== '127.0.0.1') complaints.push(`asked for ${asked}`);
  });
  await page.goto(url);
  return {
    page,
    complaints,
    screenshot: async (name) => {
      mkdirSync(SCREENSHOTS, { recursive: true });
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
    },
    [Symbol.asyncDispose]: () => context.close(),
  };
}
