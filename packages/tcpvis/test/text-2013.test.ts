/** What a log of 2013 does not say is not drawn, and not called 0. */
import { FORMATS, readAny, type Trace } from '@qanat/flowlog';
import { beforeAll, describe, expect, it } from 'vitest';
import { plotSvg } from '../src/plot-file.ts';
import { rowsAround, valuesAt } from '../src/view/cursor.ts';
import { Engine } from '../src/view/engine.ts';
import type { PanelKind } from '../src/view/panels.ts';
import { storeOfTrace } from '../src/view/store.ts';
import { transfer } from './simulated.ts';

/** As the text of 2013 keeps it. */
function asOf2013(trace: Trace): Trace {
  const pieces: Uint8Array[] = [];
  FORMATS.find(({ name }) => name === '2013')!.write!(trace, (piece) => pieces.push(piece.slice()));
  return readAny(Buffer.concat(pieces), 'run.log');
}

async function engineOf(trace: Trace): Promise<Engine> {
  const engine = new Engine(storeOfTrace(trace));
  await engine.scan();
  return engine;
}

/** @param far whether as of a log with more rows than are looked at one by one. */
async function panelOf(engine: Engine, kind: PanelKind, far = false, direction: 0 | 1 = 0) {
  const [t0, t1] = engine.range;
  const { segments, windows } = engine.flows[0]!.store;
  if (far) for (const list of [segments, windows]) list.estimateRows = () => Number.POSITIVE_INFINITY;
  return engine.panel({ kind, flows: [0], direction }, { t0, t1, columns: 800 });
}

const seriesOf = ({ layers }: Awaited<ReturnType<typeof panelOf>>): string[] =>
  layers.flatMap((layer) => {
    if (layer.type === 'line') return layer.line.n > 0 ? [layer.series] : [];
    return layer.type === 'bars' && layer.bars.n > 0 ? [layer.series] : [];
  });

const kindsOf = (engine: Engine): PanelKind[] =>
  (['sequence', 'window', 'rtt', 'throughput', 'delay', 'limited'] as const).filter((kind) =>
    engine.has({ kind, flows: [0], direction: 0 }),
  );

let sender: Trace;
let receiver: Trace;
beforeAll(() => {
  const run = transfer({ seed: 3, bytes: 200_000, delayUs: 5000, lossRate: [0.02, 0] });
  sender = asOf2013(run.sender);
  receiver = asOf2013(run.receiver);
});

describe('a log of 2013', () => {
  it('has in flight what was sent and not acknowledged', async () => {
    const { sndNxt, sndUna, pipe, rows } = sender.flows[0]!.windows;
    expect([...pipe]).toEqual(Array.from({ length: rows }, (_, row) => (sndNxt[row]! - sndUna[row]!) | 0));
    expect(Math.max(...pipe)).toBeGreaterThan(10_000);
  });

  it('has no panel of round trips, which it does not know; nor a value or a word of them at the cursor', async () => {
    const engine = await engineOf(sender);
    expect(kindsOf(engine)).toEqual(['sequence', 'window', 'throughput', 'delay']);
    const [t0, t1] = engine.range;
    const options = { flow: 0, t0, t1, width: 600, height: undefined, theme: 'light' } as const;
    const svg = await plotSvg(engine, { preset: 'recovery', ...options });
    expect(svg).toContain('In flight and windows');
    expect(svg).not.toMatch(/Round-trip|smoothed|minimum|RTO/);
    const middle = (t0 + t1) / 2;
    expect(await valuesAt(engine, { kind: 'rtt', flows: [0], direction: 0 }, middle, { t0, t1, columns: 800 })).toEqual(
      {},
    );
    const rows = await rowsAround(engine, [0], middle, 50);
    const details = rows.filter(({ table }) => table === 'window').map(({ detail }) => detail);
    expect(details.length).toBeGreaterThan(10);
    expect(details.join('\n')).not.toMatch(/srtt|RTO|limited by|0 µs/);
  });

  it('has no throughput and no delay of received segments, near and far; what was acknowledged it knows', async () => {
    for (const far of [false, true]) {
      const engine = await engineOf(sender);
      expect(seriesOf(await panelOf(engine, 'rtt', far))).toEqual([]);
      expect(seriesOf(await panelOf(engine, 'throughput', far))).toEqual(['goodput']);
      expect(seriesOf(await panelOf(engine, 'delay', far))).toEqual(['txDelay']);
      expect(seriesOf(await panelOf(engine, 'sequence', far))).toEqual(['data', 'ack']);
    }
  });

  it('of a receiver is seen as one', async () => {
    expect((await engineOf(sender)).mainDirection(0)).toBe(0);
    const engine = await engineOf(receiver);
    expect(engine.mainDirection(0)).toBe(1);
    expect(engine.flows[0]!.digest.bytes(1)).toBeGreaterThanOrEqual(200_000);
  });
});

it('a flow log in which round trips come to be known draws them from there on', async () => {
  const { sender: run } = transfer({ seed: 3, bytes: 200_000, delayUs: 5000, lossRate: [0.02, 0] });
  const flow = run.flows.find(({ windows }) => windows.rows > 50);
  const { windows } = flow!;
  const known = Math.floor(windows.rows / 2);
  for (const column of [windows.srttUs, windows.minRttUs, windows.rtoUs]) column.fill(0, 0, known);
  for (const far of [false, true]) {
    const engine = await engineOf({ ...run, flows: [flow!] });
    const { layers } = await panelOf(engine, 'rtt', far);
    for (const series of ['srtt', 'minRtt', 'rto']) {
      const layer = layers.find((each) => each.type === 'line' && each.series === series);
      if (layer?.type !== 'line') throw new Error(`no line of ${series}`);
      expect([series, far, Math.min(...layer.line.lo) >= 10_000]).toEqual([series, far, true]);
      if (!far) expect(layer.line.t[0]).toBe(windows.timeUs[known]);
    }
  }
});
