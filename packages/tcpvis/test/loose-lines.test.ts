import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { encodeTrace } from '@qanat/flowlog';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from '../src/command.ts';
import { outsideLines } from '../src/draw/outside.ts';
import { THEMES } from '../src/draw/theme.ts';
import { pageHtml } from '../src/page-html.ts';
import { plotSvg } from '../src/plot-file.ts';
import { Engine } from '../src/view/engine.ts';
import { isLoose, type PanelData, scaled, valueRange } from '../src/view/panel-data.ts';
import type { PanelKind } from '../src/view/panels.ts';
import { storeOfTrace } from '../src/view/store.ts';
import { launch, NO_BROWSER, open, state } from './support/browser.ts';
import { modelTrace } from './support/model-trace.ts';

// Its round trips take 20 ms and more, its RTO is 200 ms: far above them.
const trace = modelTrace({ segments: 3000 });

async function panel(kind: PanelKind): Promise<PanelData> {
  const engine = new Engine(storeOfTrace(trace));
  await engine.scan();
  const [t0, t1] = engine.range;
  return engine.panel({ kind, flows: [0], direction: 0 }, { t0, t1, columns: 800 });
}

const highest = (data: PanelData): number => valueRange(data, data.t0, data.t1)![1];

const only = (data: PanelData, series: string): PanelData => ({
  ...data,
  layers: data.layers.filter((layer) => 'series' in layer && layer.series === series),
});

describe('lines that may lie far above the rest', () => {
  test('widen the axis only when all lines are wanted, or when nothing else is shown', async () => {
    const data = await panel('rtt');
    expect(highest(scaled(data, false))).toBeLessThan(150_000);
    expect(highest(scaled(data, true))).toBeGreaterThanOrEqual(200_000);
    expect(scaled(data, true).layers.some(isLoose)).toBe(false);
    expect(highest(scaled(only(data, 'rto'), false))).toBeGreaterThanOrEqual(200_000);
    const window = await panel('window');
    expect(highest(scaled(window, true))).toBeGreaterThan(highest(scaled(window, false)));
    // Where there is nothing at all there is nothing to scale by.
    expect(valueRange(scaled({ ...data, layers: [] }, false), data.t0, data.t1)).toBeUndefined();
  });

  test.each([
    ['rtt', ['RTO']],
    ['window', ['receive window']],
    ['sequence', []],
  ] as const)('are told of at the edge of %s while they lie outside', async (kind, labels) => {
    const data = scaled(await panel(kind), false);
    const [v0, v1] = valueRange(data, data.t0, data.t1)!;
    const frame = { x: 0, y: 0, width: 800, height: 100, t0: data.t0, t1: data.t1, v0, v1: v1 * 1.1 };
    const found = outsideLines(data, frame, THEMES.light);
    for (const label of labels) expect(found.map((line) => line.label)).toContain(label);
    expect(found.every(({ above }) => above)).toBe(true);
    const wide = { ...frame, v0: 0, v1: highest(scaled(data, true)) };
    expect(outsideLines(data, wide, THEMES.light)).toEqual([]);
    expect(outsideLines(scaled(data, true), frame, THEMES.light)).toEqual([]);
  });

  test('have their mark in an SVG, too', async () => {
    const engine = new Engine(storeOfTrace(trace));
    await engine.scan();
    const [t0, t1] = engine.range;
    const options = { preset: 'recovery', flow: 0, t0, t1, width: 900, height: undefined, theme: 'light' } as const;
    const svg = await plotSvg(engine, options);
    // In the legend, and at the edge.
    expect(svg!.match(/>RTO</g)).toHaveLength(2);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    const whole = await plotSvg(engine, { ...options, allLines: true });
    expect(whole!.match(/>RTO</g)).toHaveLength(1);
    expect(whole!.match(/>window edge</g)).toHaveLength(1);
  });

  test('are brought in by plot --all-lines', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'qanat-lines-'));
    const path = (name: string): string => join(folder, name);
    writeFileSync(path('run.qflow'), encodeTrace(trace));
    const output = { out: () => {}, error: () => {}, progress: false };
    const marks = async (...options: string[]): Promise<number> => {
      expect(await main(['plot', path('run.qflow'), path('run.svg'), '--preset', 'recovery', ...options], output)).toBe(
        0,
      );
      return readFileSync(path('run.svg'), 'utf8').match(/>RTO</g)!.length;
    };
    expect([await marks(), await marks('--all-lines')]).toEqual([2, 1]);
    rmSync(folder, { recursive: true, force: true });
  });
});

const TIMEOUT = 90_000;
const title = NO_BROWSER === undefined ? 'in the page' : `in the page (skipped: ${NO_BROWSER})`;

describe.skipIf(NO_BROWSER !== undefined)(title, { timeout: TIMEOUT }, () => {
  let browser: Browser;
  let folder: string;
  let page: Page;
  let errors: readonly string[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'qanat-lines-'));
    const path = join(folder, 'log.html');
    writeFileSync(path, await pageHtml({ kind: 'embedded', name: 'run.qflow', bytes: encodeTrace(trace) }));
    browser = await launch();
    ({ page, errors } = await open(browser, pathToFileURL(path).href));
    await state(page, 'ready');
  }, TIMEOUT);

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  }, TIMEOUT);

  const of = (name: 'highest' | 'outside'): string =>
    `document.querySelector('.panel[data-kind=rtt]').dataset['${name}']`;
  const outside = (): Promise<string> => page.evaluate(of('outside'));
  const top = (): Promise<number> => page.evaluate(`Number(${of('highest')})`);
  const until = (condition: string): Promise<unknown> => page.waitForFunction(condition);

  test('a mark says that RTO lies outside; Y brings it in, and lets it go again', async () => {
    await until(`${of('outside')} === '↑ RTO'`);
    expect(await top()).toBeLessThan(200_000);
    await page.keyboard.press('y');
    await until(`${of('outside')} === '' && ${of('highest')} >= 200000`);
    expect(await page.getAttribute('.panel[data-kind=rtt] .all-lines', 'aria-pressed')).toBe('true');
    await page.keyboard.press('y');
    await until(`${of('outside')} === '↑ RTO'`);
    await page.click('.panel[data-kind=rtt] .all-lines');
    await until(`${of('outside')} === ''`);
    await page.click('.panel[data-kind=rtt] .all-lines');
    await until(`${of('outside')} === '↑ RTO'`);
    expect(errors).toEqual([]);
  });

  test('it fills the panel when the other lines are switched off in the legend', async () => {
    const entries = page.locator('.panel[data-kind=rtt] button.entry');
    for (const label of ['samples', 'smoothed', 'minimum']) await entries.filter({ hasText: label }).click();
    await until(`${of('outside')} === '' && ${of('highest')} >= 200000`);
    for (const label of ['samples', 'smoothed', 'minimum']) await entries.filter({ hasText: label }).click();
    await until(`${of('outside')} === '↑ RTO'`);
    expect(await outside()).toBe('↑ RTO');
    expect(await top()).toBeLessThan(200_000);
  });

  test('the list of keys has it', async () => {
    await page.keyboard.press('?');
    expect(await page.textContent('.help')).toContain('axes as high as every line');
    await page.keyboard.press('Escape');
  });
});
