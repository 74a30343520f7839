import {
  MACHINE_RING_PUSH,
  MACHINE_RING_REAP,
  MACHINE_RX_REAP,
  MachineTableBuilder,
  RING_RX,
  RING_TX,
} from '@qanat/flowlog';
import { expect, test } from 'vitest';
import { legendOf } from '../src/draw/legend.ts';
import { THEMES } from '../src/draw/theme.ts';
import { rowsAround, valuesAt } from '../src/view/cursor.ts';
import type { Engine } from '../src/view/engine.ts';
import { type PanelData, seriesKey } from '../src/view/panel-data.ts';
import { engineOfMachine } from './support/machine-engine.ts';

const SPEC = { kind: 'rings', flows: [0], direction: 0 } as const;
const RANGE = { t0: 0, t1: 1100, columns: 600 };
/** Of a backend: vif3.0, queue 1. */
const BACKEND = 0x30001;

const engineOf = (machine: MachineTableBuilder) => engineOfMachine({ id: 1, name: 'client', kind: 'domain' }, machine);

/** Rows of the rings of some queues: TX has 10 to 20 requests and `queue` more, RX has 200 to 256 pages without as many. */
function domain(queues: readonly number[]): MachineTableBuilder {
  const machine = new MachineTableBuilder();
  for (let i = 1; i <= 1000; i++) {
    for (const queue of queues) {
      const low = i % 2 === 0;
      machine.push(i, 4 * i, MACHINE_RING_PUSH, RING_TX, 20 + queue, queue);
      machine.push(i, 4 * i + 1, MACHINE_RING_REAP, RING_TX, (low ? 10 : 12) + queue, queue);
      machine.push(i, 4 * i + 2, MACHINE_RX_REAP, RING_RX, (low ? 200 : 210) - queue, queue);
      machine.push(i, 4 * i + 3, MACHINE_RING_PUSH, RING_RX, 256 - queue, queue);
    }
  }
  return machine;
}

function ranges(data: PanelData): Record<string, readonly [number, number]> {
  const found: Record<string, readonly [number, number]> = {};
  for (const layer of data.layers) {
    if (layer.type === 'line') found[seriesKey(layer)] = [Math.min(...layer.line.lo), Math.max(...layer.line.hi)];
  }
  return found;
}

/** Near, from the rows, and far, from what is kept of them. */
async function expectRanges(engine: Engine, want: Record<string, readonly [number, number]>): Promise<PanelData> {
  const near = await engine.panel(SPEC, RANGE);
  expect(ranges(near)).toEqual(want);
  const { machine } = engine.sources[0]!.store;
  const { estimateRows } = machine;
  machine.estimateRows = () => Number.POSITIVE_INFINITY;
  expect(ranges(await engine.panel(SPEC, RANGE))).toEqual(want);
  machine.estimateRows = estimateRows;
  return near;
}

test('RX is the pages that are not filled, when they are posted and when packets are taken, and the legend says so', async () => {
  const engine = await engineOf(domain([0]));
  const data = await expectRanges(engine, { txRing: [10, 20], rxRing: [200, 256] });
  const labels = legendOf(data, THEMES.light, ['']).map(({ label }) => label);
  expect(labels).toEqual(['TX ring: requests in use', 'RX ring: pages not filled']);
});

test('several queues have a line each', async () => {
  const engine = await engineOf(domain([0, 3]));
  const data = await expectRanges(engine, {
    'txRing:TX in use, queue 0': [10, 20],
    'rxRing:RX not filled, queue 0': [200, 256],
    'txRing:TX in use, queue 3': [13, 23],
    'rxRing:RX not filled, queue 3': [197, 253],
  });
  const legend = legendOf(data, THEMES.light, ['']);
  expect(new Set(legend.map(({ color }) => color)).size).toBe(4);
  expect(await valuesAt(engine, SPEC, 1000.5, RANGE)).toEqual({
    'txRing:TX in use, queue 0': '10',
    'rxRing:RX not filled, queue 0': '256',
    'txRing:TX in use, queue 3': '13',
    'rxRing:RX not filled, queue 3': '253',
  });
});

test('several devices are told apart', async () => {
  const engine = await engineOf(domain([0, 0x100]));
  expect(Object.keys(ranges(await engine.panel(SPEC, RANGE)))).toEqual([
    'txRing:TX in use, device 0 queue 0',
    'rxRing:RX not filled, device 0 queue 0',
    'txRing:TX in use, device 1 queue 0',
    'rxRing:RX not filled, device 1 queue 0',
  ]);
});

test('what is no occupancy is not drawn as one: answers of a backend, and the slots that older logs have of RX', async () => {
  const machine = domain([0]);
  machine.push(1001, 4004, MACHINE_RING_REAP, RING_RX, 3, 0);
  machine.push(1001, 4005, MACHINE_RING_PUSH, RING_TX, 1, BACKEND);
  machine.push(1001, 4006, MACHINE_RING_PUSH, RING_RX, 2, BACKEND);
  await expectRanges(await engineOf(machine), { txRing: [10, 20], rxRing: [200, 256] });
});

test('each row is told as what it is', async () => {
  const machine = new MachineTableBuilder();
  machine.push(1, 1, MACHINE_RING_PUSH, RING_TX, 7, 0);
  machine.push(2, 2, MACHINE_RING_REAP, RING_TX, 1, 2);
  machine.push(3, 3, MACHINE_RING_PUSH, RING_RX, 256, 0);
  machine.push(4, 4, MACHINE_RX_REAP, RING_RX, 251, 0x100);
  machine.push(5, 5, MACHINE_RING_REAP, RING_RX, 5, 0);
  machine.push(6, 6, MACHINE_RING_PUSH, RING_TX, 1, BACKEND);
  machine.push(7, 7, MACHINE_RING_PUSH, RING_RX, 9, 0x30000);
  const rows = await rowsAround(await engineOf(machine), [0], 0, 10);
  expect(rows.map(({ what, detail }) => `${what}: ${detail}`)).toEqual([
    'ring push: TX ring, 7 requests in use (device 0)',
    'ring reap: TX ring, 1 request in use (device 0 queue 2)',
    'ring push: RX ring, 256 pages posted and not filled (device 0)',
    'ring reap: RX ring, 251 pages posted and not filled (device 1)',
    'ring reap: RX ring, 5 slots found (device 0)',
    'ring push: TX ring, 1 answer published (vif3.0 queue 1)',
    'ring push: RX ring, 9 answers published (vif3.0)',
  ]);
});
