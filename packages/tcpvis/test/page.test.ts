import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  encodeTrace,
  FORMATS,
  flowTrace,
  type SegmentTable,
  segmentInfo,
  sourceTrace,
  type Trace,
  type WindowTable,
  writeTrace,
} from '@qanat/flowlog';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatValue } from '../src/draw/format.ts';
import { LiveStream } from '../src/live-stream.ts';
import { pageHtml } from '../src/page-html.ts';
import { fileRoute, servePage, textRoute } from '../src/page-server.ts';
import { drop, launch, NO_BROWSER, open, range, settled, state } from './support/browser.ts';
import { modelTrace } from './support/model-trace.ts';

const TIMEOUT = 90_000;
const trace = modelTrace({ segments: 6000 });
const bytes = encodeTrace(trace);
const GUTTER = 76;
const title = NO_BROWSER === undefined ? 'the page in Chromium' : `the page in Chromium (skipped: ${NO_BROWSER})`;

describe.skipIf(NO_BROWSER !== undefined)(title, { timeout: TIMEOUT }, () => {
  let browser: Browser;
  let folder: string;
  let alone: string;
  let withLog: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'qanat-page-'));
    const write = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return pathToFileURL(join(folder, name)).href;
    };
    alone = write('alone.html', await pageHtml());
    withLog = write('log.html', await pageHtml({ kind: 'embedded', name: 'run.qflow', bytes }));
    browser = await launch();
  }, TIMEOUT);

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  }, TIMEOUT);

  test('a page with a log in it opens from a file and draws every panel', async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const asked: string[] = [];
    context.on('request', (request) => asked.push(request.url()));
    const { page, errors } = await open(context, withLog);
    await state(page, 'ready');
    // All is in the file: nothing else is asked for, on no network.
    expect(asked.filter((url) => url !== withLog && !/^(blob|data):/.test(url))).toEqual([]);
    expect(await page.title()).toBe('run.qflow · Qanat');
    expect(await page.textContent('.flow-button')).toContain('client 192.168.8.102:49152 → 192.168.8.101:5001');
    const kinds = await page.$$eval('.panel', (panels) => panels.map((panel) => panel.getAttribute('data-kind')));
    expect(kinds).toEqual([
      ...['sequence', 'window', 'rtt', 'throughput', 'delay', 'limited', 'rings', 'queue', 'sleep'],
    ]);
    for (const kind of kinds) expect(await coloursIn(page, kind!), kind!).toBeGreaterThan(2);
    expect(errors).toEqual([]);
    await context.close();
  });

  test('a dropped file is opened; a second one takes its place', async () => {
    const { page, errors } = await open(browser, alone);
    expect(await page.textContent('.welcome')).toContain('Drop a log or a capture here');
    await drop(page, 'first.qflow', bytes);
    await state(page, 'ready');
    expect(await page.textContent('.file')).toBe('first.qflow');
    await drop(page, 'second.qflow', encodeTrace(modelTrace({ segments: 500 })));
    await page.waitForFunction(() => document.querySelector('.file')?.textContent === 'second.qflow');
    await state(page, 'ready');
    expect(errors).toEqual([]);
    await page.close();
  });

  test.each(['pcapng', 'jsonl', '2013'])('a dropped %s file gives pictures too', async (name) => {
    const format = FORMATS.find((each) => each.name === name)!;
    const pieces: Uint8Array[] = [];
    format.write!(trace, (piece) => pieces.push(piece.slice()));
    const { page, errors } = await open(browser, alone);
    await drop(page, `run${format.extensions[0]}`, Buffer.concat(pieces));
    await state(page, 'ready');
    expect(await coloursIn(page, 'sequence')).toBeGreaterThan(2);
    expect(await coloursIn(page, 'window')).toBeGreaterThan(2);
    // A log of 2013 knows no round trips.
    expect(await page.locator('.panel[data-kind="rtt"]').count()).toBe(name === '2013' ? 0 : 1);
    expect(errors).toEqual([]);
    await page.close();
  });

  test('wheel, drag and keys zoom and pan; a double click shows everything', async () => {
    const { page } = await open(browser, withLog);
    await state(page, 'ready');
    const whole = await range(page);
    await page.mouse.move(640, 200);
    await page.mouse.wheel(0, -1000);
    const closer = await range(page);
    const at = (shown: readonly [number, number]): number =>
      shown[0] + ((640 - GUTTER) / (1280 - GUTTER - 18)) * (shown[1] - shown[0]);
    expect(closer[1] - closer[0]).toBeLessThan((whole[1] - whole[0]) / 4);
    expect(Math.abs(at(closer) - at(whole))).toBeLessThan((whole[1] - whole[0]) * 0.02);
    await page.mouse.down();
    await page.mouse.move(440, 205, { steps: 5 });
    await page.mouse.up();
    const panned = await range(page);
    expect(panned[0] - closer[0]).toBeCloseTo((200 / (1280 - GUTTER - 18)) * (closer[1] - closer[0]), 3);
    await page.keyboard.press('ArrowRight');
    expect((await range(page))[0]).toBeGreaterThan(panned[0]);
    await page.keyboard.press('+');
    const nearer = await range(page);
    expect(nearer[1] - nearer[0]).toBeCloseTo((panned[1] - panned[0]) / 1.35, 4);
    await page.keyboard.down('Shift');
    await page.mouse.move(300, 200);
    await page.mouse.down();
    await page.mouse.move(500, 205, { steps: 5 });
    await page.mouse.up();
    await page.keyboard.up('Shift');
    const selected = await range(page);
    expect(selected[1] - selected[0]).toBeCloseTo(((nearer[1] - nearer[0]) * 200) / (1280 - GUTTER - 18), 3);
    await page.keyboard.press('0');
    expect(await range(page)).toEqual(whole);
    await page.keyboard.press('w');
    await page.mouse.dblclick(640, 200);
    expect(await range(page)).toEqual(whole);
    await page.close();
  });

  test('the values at the cursor are those of the log, far and near', async () => {
    const { page } = await open(browser, withLog);
    await state(page, 'ready');
    for (const zoom of [0, -600, -1500]) {
      await page.mouse.move(600 + zoom / 10, 220);
      if (zoom !== 0) await page.mouse.wheel(0, zoom);
      const timeUs = await cursorAt(page, 601 + zoom / 10);
      const flow = trace.flows[0]!;
      const window = lastWindow(flow.windows, timeUs);
      const value = (kind: string, series: string): Promise<string | null> =>
        page.textContent(`.panel[data-kind=${kind}] .value[data-series=${series}]`);
      expect(await value('window', 'cwnd')).toBe(formatValue('bytes', flow.windows.cwnd[window]!));
      expect(await value('window', 'pipe')).toBe(formatValue('bytes', flow.windows.pipe[window]!));
      expect(await value('rtt', 'srtt')).toBe(formatValue('us', flow.windows.srttUs[window]!));
      const { acked, sent } = positions(flow.segments, flow.iss!, timeUs);
      const plain = async (series: string): Promise<number> =>
        Number((await value('sequence', series))!.replaceAll(/\D/g, ''));
      expect(await plain('ack')).toBe(acked);
      expect(await plain('data')).toBe(sent);
    }
    await page.close();
  });

  test('the table of events has the rows of the log around the cursor; . goes to the next', async () => {
    const { page } = await open(browser, withLog);
    await state(page, 'ready');
    await page.keyboard.press('e');
    const timeUs = await cursorAt(page, 400);
    await page.waitForSelector('.events tbody tr');
    const shown = await page.$$eval('.events tbody tr.of-segment', (rows) =>
      rows.map((row) => Number(row.getAttribute('data-time'))),
    );
    const { segments } = trace.flows[0]!;
    const all = [...segments.timeUs.subarray(0, segments.rows)];
    expect(shown.length).toBeGreaterThan(5);
    const first = all.indexOf(shown[0]!);
    expect(all.slice(first, first + shown.length)).toEqual(shown);
    await page.keyboard.press('.');
    await page.waitForFunction((before) => Number(document.documentElement.dataset['cursor']) > before, timeUs);
    const next = Number(await page.evaluate(() => document.documentElement.dataset['cursor']));
    const times = rowTimes(trace);
    expect(next).toBe(times.find((time) => time > timeUs));
    await page.close();
  });

  test('n goes to the next loss', async () => {
    const { page } = await open(browser, withLog);
    await state(page, 'ready');
    await page.keyboard.press('n');
    const { events } = trace.flows[0]!;
    await page.waitForFunction(
      (time) => Number(document.documentElement.dataset['cursor']) === time,
      events.timeUs[0]!,
    );
    await page.close();
  });

  test('a torn file shows what was whole, and says so; what is no log gets a sentence', async () => {
    const { page, errors } = await open(browser, alone);
    await drop(page, 'torn.qflow', bytes.subarray(0, Math.floor(bytes.length * 0.6)));
    await state(page, 'ready');
    expect(await page.textContent('.status .problem')).toMatch(/torn.*What was whole is shown/);
    await drop(page, 'notes.bin', Buffer.from('not a log at all '.repeat(20)));
    await state(page, 'failed');
    expect(await page.textContent('.welcome-text')).toContain('notes.bin is of no known format');
    await drop(page, 'nothing.qflow', new Uint8Array(0));
    await page.waitForFunction(() =>
      document.querySelector('.welcome-text')?.textContent?.includes('nothing.qflow is empty'),
    );
    const damaged = bytes.slice();
    damaged.fill(0x55, 20_000, 60_000);
    await drop(page, 'damaged.qflow', damaged);
    await state(page, 'ready');
    expect(await page.textContent('.status .problem')).toMatch(/damaged/);
    expect(errors).toEqual([]);
    await page.close();
  });

  test('light and dark: as the system has it, and by a key', async () => {
    const { page } = await open(browser, withLog, 'dark');
    await state(page, 'ready');
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(await ground()).toBe('rgb(17, 21, 28)');
    await page.keyboard.press('t');
    expect(await ground()).toBe('rgb(246, 247, 249)');
    await page.close();
  });

  test('presets, help, and series that are switched off', async () => {
    const { page } = await open(browser, withLog);
    await state(page, 'ready');
    await page.keyboard.press('4');
    await page.waitForFunction(() => document.querySelectorAll('.panel').length === 1);
    expect(await page.getAttribute('.panel', 'data-kind')).toBe('window');
    const entry = page.locator('.entry', { hasText: 'cwnd' });
    await entry.click();
    await page.waitForSelector('.entry.off');
    expect(await page.textContent('.entry.off')).toContain('cwnd');
    await page.keyboard.press('?');
    expect(await page.textContent('.help')).toContain('table of events');
    await page.keyboard.press('Escape');
    expect(await page.isVisible('.help')).toBe(false);
    await page.close();
  });

  test('both ends of a connection stand side by side, with one cursor', async () => {
    const { page, errors } = await open(browser, alone);
    await drop(page, 'both.qflow', encodeTrace(withPeer(trace)));
    await state(page, 'ready');
    await page.keyboard.press('m');
    await page.waitForFunction(() => document.querySelectorAll('.column').length === 2);
    const titles = await page.$$eval('.column-title', (headings) => headings.map((heading) => heading.textContent));
    expect(titles[0]).toMatch(/^Sender client/);
    expect(titles[1]).toMatch(/^Receiver server/);
    await page.mouse.move(300, 300);
    const cursors = await page.$$eval('.cursor', (lines) => lines.map((line) => (line as HTMLElement).style.transform));
    expect(cursors[0]).toBe(cursors[1]);
    for (const mode of ['Each', 'Over']) {
      await page.click(`.modes button:has-text("${mode}")`);
      await page.waitForFunction(() => document.querySelectorAll('.column').length === 1);
    }
    expect(errors).toEqual([]);
    await page.close();
  });

  test('a served log is read by ranges; a run is followed while it is recorded', async () => {
    const path = join(folder, 'served.qflow');
    writeFileSync(path, bytes);
    const stream = new LiveStream();
    const type = 'text/html; charset=utf-8';
    const routes = {
      '/': textRoute(await pageHtml({ kind: 'url', name: 'served.qflow', url: 'log' }), type),
      '/log': fileRoute(path),
      '/follow': textRoute(await pageHtml({ kind: 'live', name: 'live', url: 'live' }), type),
      '/live': stream.route,
    };
    const { server, url } = await servePage(routes, 0);
    try {
      const served = await open(browser, url);
      await state(served.page, 'ready');
      expect(await served.page.textContent('.status')).toContain('rows in 1 flow');
      const live = await open(browser, `${url}follow`);
      const pieces: Uint8Array[] = [];
      writeTrace(trace, (piece) => pieces.push(piece.slice()), 512);
      // The rows of the machine come first.
      const half = Math.floor(pieces.length * 0.9);
      for (const piece of pieces.slice(0, half)) stream.write(piece);
      stream.flush();
      await live.page.waitForFunction(() => document.documentElement.dataset['state'] === 'reading');
      const before = Number(
        (await live.page.textContent('.status'))!.match(/([\d\s]+) rows/)![1]!.replaceAll(/\D/g, ''),
      );
      expect(before).toBeGreaterThan(0);
      for (const piece of pieces.slice(half)) stream.write(piece);
      await stream.end(10_000);
      await state(live.page, 'ready');
      const after = Number(
        (await live.page.textContent('.status'))!.match(/s\)\s*([\d\s]+) rows/)![1]!.replaceAll(/\D/g, ''),
      );
      expect(after).toBe(rowTotal(trace));
      expect([...served.errors, ...live.errors]).toEqual([]);
      await served.page.close();
      await live.page.close();
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

/** How many colours a plot shows. */
function coloursIn(page: Page, kind: string): Promise<number> {
  return page.$eval(`.panel[data-kind=${kind}] canvas`, (element) => {
    const canvas = element as HTMLCanvasElement;
    const { data } = canvas.getContext('2d')!.getImageData(80, 0, canvas.width - 100, canvas.height);
    const words = new Uint32Array(data.buffer);
    return new Set(words).size;
  });
}

/** Points at a column of pixels. @returns the time of the values that the page shows then. */
async function cursorAt(page: Page, x: number): Promise<number> {
  await settled(page);
  await page.mouse.move(x, 220);
  await page.waitForFunction(() => {
    const { asked, cursor } = document.documentElement.dataset;
    return cursor !== undefined && cursor === asked;
  });
  return Number(await page.evaluate(() => document.documentElement.dataset['cursor']));
}

function lastWindow(windows: WindowTable, timeUs: number): number {
  let found = 0;
  for (let row = 0; row < windows.rows; row++) if (windows.timeUs[row]! <= timeUs) found = row;
  return found;
}

/** Last acknowledgment, and end of the last data that was sent, counted from the SYN. */
function positions(segments: SegmentTable, iss: number, timeUs: number): { acked: number; sent: number } {
  let acked = 0;
  let sent = 0;
  for (let row = 0; row < segments.rows && segments.timeUs[row]! <= timeUs; row++) {
    if ((segments.info[row]! & 1) !== 0) acked = (segments.ack[row]! - iss) >>> 0;
    else if (segments.bytes[row]! > 0) sent = ((segments.seq[row]! - iss) >>> 0) + segments.bytes[row]!;
  }
  return { acked, sent };
}

function rowTimes({ flows, sources }: Trace): number[] {
  const { segments, windows, events } = flows[0]!;
  const tables = [segments, windows, events, sources[0]!.machine];
  return tables.flatMap(({ timeUs, rows }) => [...timeUs.subarray(0, rows)]).sort((a, b) => a - b);
}

function rowTotal({ flows, sources }: Trace): number {
  const { segments, sacks, windows, events } = flows[0]!;
  return [segments, sacks, windows, events, sources[0]!.machine].reduce((sum, { rows }) => sum + rows, 0);
}

/** Adds what the other end would have recorded, roughly: the same segments, the other way round. */
function withPeer(one: Trace): Trace {
  const flow = one.flows[0]!;
  const { segments } = flow;
  const info = segments.info.map((value) => segmentInfo((value & 1) === 0, (value >>> 8) & 0xff, 0, false, 0));
  const peer = flowTrace(
    {
      ...flow,
      id: 2,
      source: 2,
      localAddress: flow.remoteAddress,
      localPort: flow.remotePort,
      remoteAddress: flow.localAddress,
      remotePort: flow.localPort,
      iss: flow.irs,
      irs: flow.iss,
      active: false,
    },
    { segments: { ...segments, info } },
  );
  return {
    ...one,
    sources: [...one.sources, sourceTrace({ id: 2, name: 'server', kind: 'domain' })],
    flows: [flow, peer],
  };
}
