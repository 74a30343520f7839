// Opens a log of 10 million rows in headless Chromium and measures: how long until its pictures stand, how many
// frames a second there are while it is panned and zoomed.
//
//   pnpm bench page [--rows 10000000] [--json] [--keep FILE]
//
// Needs what `pnpm build` made, and Chromium (scripts/setup-debian.sh chromium).
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { pageHtml } from '../dist/page-html.js';
import { fileRoute, servePage, textRoute } from '../dist/page-server.js';

const { values } = parseArgs({
  options: { rows: { type: 'string', default: '10000000' }, json: { type: 'boolean' }, keep: { type: 'string' } },
});
const EXECUTABLE = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const MOVE_MS = 2500;
const folder = mkdtempSync(join(tmpdir(), 'qanat-bench-'));
const say = (text) => values.json || console.log(text);

const log = values.keep ?? join(folder, 'large.qflow');
try {
  if (!existsSync(EXECUTABLE)) throw new Error(`${EXECUTABLE} is missing: scripts/setup-debian.sh chromium`);
  if (!existsSync(log)) await makeLog(log, Number(values.rows));
  const result = await measure(log);
  if (values.json) console.log(JSON.stringify(result, null, 2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function makeLog(path, rows) {
  const bundle = join(folder, 'large-log.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../test/support/large-log.ts', import.meta.url))],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: bundle,
    conditions: ['@qanat/source'],
    logLevel: 'error',
  });
  const { writeLargeLog } = await import(pathToFileURL(bundle).href);
  const file = openSync(path, 'w');
  const written = writeLargeLog(rows, (bytes) => writeSync(file, bytes));
  closeSync(file);
  say(`${path}: ${written} rows, ${Math.round(statSync(path).size / 2 ** 20)} MiB`);
}

async function measure(path) {
  const browser = await chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'] });
  const type = 'text/html; charset=utf-8';
  const routes = {
    '/': textRoute(await pageHtml(), type),
    '/view': textRoute(await pageHtml({ kind: 'url', name: 'large.qflow', url: 'log' }), type),
    '/log': fileRoute(path),
  };
  const { server, url } = await servePage(routes, 0);
  try {
    const result = { bench: 'page', bytes: statSync(path).size };
    for (const how of ['picked', 'served']) {
      const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
      // A browser that has just started is busy with itself.
      await page.goto(url);
      await page.waitForSelector('.welcome .primary');
      await page.waitForTimeout(1500);
      const started = Date.now();
      if (how === 'picked') await page.setInputFiles('input[type=file]', path);
      else await page.goto(`${url}view`);
      // The overview is drawn first, then the panels.
      await untilRoot(page, 'drawn', 2);
      const firstMs = Date.now() - started;
      await untilRoot(page, 'whole', 'yes');
      const allMs = Date.now() - started;
      say(`${how}: first pictures after ${firstMs} ms, pictures of all rows after ${allMs} ms`);
      const frames = {};
      await page.waitForTimeout(500);
      for (const [name, zoom] of [
        ['whole', 0],
        ['a tenth', 10],
        ['a hundredth', 100],
        ['a thousandth', 1000],
      ]) {
        frames[name] = await framesWhilePanning(page, zoom);
        say(`${how}: panning ${name} of it: ${frames[name].perSecond} frames/s, longest ${frames[name].longestMs} ms`);
      }
      result[how] = { firstMs, allMs, frames };
      await page.close();
    }
    return result;
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

/** Waits until `data-NAME` of the document is `wanted` (a number: or more), without asking in every frame: that is work, too. */
function untilRoot(page, name, wanted) {
  return page.evaluate(
    ([key, value]) =>
      new Promise((resolve, reject) => {
        const { documentElement } = document;
        const look = () => {
          const has = documentElement.dataset[key];
          if (typeof value === 'number' ? Number(has) >= value : has === value) resolve();
        };
        new MutationObserver(look).observe(documentElement, { attributes: true });
        setTimeout(() => reject(new Error(`${key} is not ${value} after a minute`)), 60_000);
        look();
      }),
    [name, wanted],
  );
}

/** Drags to and fro as a hand would, and counts the frames. */
async function framesWhilePanning(page, zoom) {
  await page.keyboard.press('0');
  await page.waitForTimeout(300);
  await page.mouse.move(720, 250);
  if (zoom > 0) {
    for (let left = Math.log(zoom) / 0.0018; left > 0; left -= 400) await page.mouse.wheel(0, -Math.min(400, left));
    await page.waitForTimeout(1200);
  }
  await page.evaluate(() => {
    window.frameTimes = [];
    const tick = (now) => {
      window.frameTimes.push(now);
      window.frameTick = requestAnimationFrame(tick);
    };
    window.frameTick = requestAnimationFrame(tick);
  });
  const started = Date.now();
  await page.mouse.down();
  for (let step = 0; Date.now() - started < MOVE_MS; step++) {
    await page.mouse.move(720 + 420 * Math.sin(step / 18), 250 + (step % 3));
    await page.waitForTimeout(8);
  }
  await page.mouse.up();
  return page.evaluate(() => {
    cancelAnimationFrame(window.frameTick);
    const times = window.frameTimes;
    let longest = 0;
    for (let i = 1; i < times.length; i++) longest = Math.max(longest, times[i] - times[i - 1]);
    const perSecond = ((times.length - 1) * 1000) / (times.at(-1) - times[0]);
    return { perSecond: Math.round(perSecond * 10) / 10, longestMs: Math.round(longest) };
  });
}
