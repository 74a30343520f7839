/** Chromium from Debian, driven without a screen. */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const CANDIDATES = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const executablePath = CANDIDATES.find((path) => path !== undefined && existsSync(path));

/** Why the tests with a browser do not run; undefined when they do. */
export const NO_BROWSER =
  executablePath === undefined ? 'no Chromium here: scripts/setup-debian.sh chromium' : undefined;

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
}

/** A page on which errors are collected. */
export interface Watched {
  readonly page: Page;
  readonly errors: string[];
}

export async function open(
  browser: Browser | BrowserContext,
  url: string,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<Watched> {
  const options = { viewport: { width: 1280, height: 800 }, colorScheme };
  const page = 'newContext' in browser ? await browser.newPage(options) : await browser.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  await page.goto(url);
  return { page, errors };
}

/** Waits until the page is in a state, and everything is drawn. */
export async function state(page: Page, wanted: 'ready' | 'failed' | 'empty'): Promise<void> {
  await page.waitForFunction(
    (name) => {
      const { dataset } = document.documentElement;
      return dataset['state'] === name && (name !== 'ready' || dataset['whole'] === 'yes');
    },
    wanted,
    { timeout: 60_000 },
  );
}

/** Waits until nothing moves any more, and the pictures are exactly those of what is in view. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => document.documentElement.dataset['settled'] === 'yes');
}

/** Drops a file on the page, as a hand does. */
export async function drop(page: Page, name: string, bytes: Uint8Array): Promise<void> {
  await page.evaluate(
    ([fileName, base64]) => {
      const content = Uint8Array.from(atob(base64!), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], fileName!));
      document.documentElement.dataset['state'] = 'dropping';
      delete document.documentElement.dataset['whole'];
      document.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    },
    [name, Buffer.from(bytes).toString('base64')],
  );
}

/** Start and end of what is in view, in seconds, as the page says it. */
export async function range(page: Page): Promise<[number, number]> {
  const text = (await page.textContent('.status .range')) ?? '';
  const [from, to] = text.split('–').map((part) => Number.parseFloat(part));
  return [from!, to!];
}
