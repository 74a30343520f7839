import { MACHINE_DROP, MACHINE_QUEUE, MACHINE_SLEEP, MachineTableBuilder } from '@qanat/flowlog';
import { expect, test } from 'vitest';
import { formatValue } from '../src/draw/format.ts';
import { legendOf } from '../src/draw/legend.ts';
import { THEMES } from '../src/draw/theme.ts';
import { valuesAt } from '../src/view/cursor.ts';
import type { PanelData } from '../src/view/panel-data.ts';
import { engineOfMachine } from './support/machine-engine.ts';

const SPEC = { kind: 'queue', flows: [0], direction: 0 } as const;
const VIF1 = 0x100;
const VIF2 = 0x200;

/** A bridge whose vif1.0 has 1000 to 1009 packets, whose vif2.0 has 3 to 5, and which told of vif3.1 once. */
function bridge(): MachineTableBuilder {
  const machine = new MachineTableBuilder();
  machine.push(0, 0, MACHINE_QUEUE, 0x301, 77, 0);
  for (let i = 1; i <= 4000; i++) {
    machine.push(i, i, MACHINE_QUEUE, i % 2 === 0 ? VIF1 : VIF2, i % 2 === 0 ? 1000 + (i % 10) : 3 + (i % 3), 0);
    if (i % 100 === 0) machine.push(i, i, MACHINE_SLEEP, 10, 0, 0);
  }
  machine.push(4001, 4001, MACHINE_DROP, VIF2, 1, 0);
  return machine;
}

const engineOf = (machine: MachineTableBuilder) => engineOfMachine({ id: 0, name: 'dom0', kind: 'dom0' }, machine);

/** Lowest and highest of each line, by the key of its entry in the legend. */
function ranges(data: PanelData): Record<string, readonly [number, number]> {
  const found: Record<string, readonly [number, number]> = {};
  const lines = data.layers.filter((layer) => layer.type === 'line');
  const keys = legendOf(data, THEMES.light, ['']).map(({ key }) => key);
  lines.forEach(({ line }, index) => {
    found[keys[index]!] = [Math.min(...line.lo), Math.max(...line.hi)];
  });
  return found;
}

test('each port of the bridge has its line, near and far, and its name in the legend', async () => {
  const engine = await engineOf(bridge());
  const want = { 'queue:vif1.0': [1000, 1008], 'queue:vif2.0': [3, 5], 'queue:vif3.1': [77, 77] };
  const range = { t0: 0, t1: 4100, columns: 600 };
  const near = await engine.panel(SPEC, range);
  expect(ranges(near)).toEqual(want);
  const legend = legendOf(near, THEMES.light, ['']);
  expect(legend.map(({ label }) => label)).toEqual(['vif1.0', 'vif2.0', 'vif3.1']);
  expect(new Set(legend.map(({ color }) => color)).size).toBe(3);
  engine.sources[0]!.store.machine.estimateRows = () => Number.POSITIVE_INFINITY;
  expect(ranges(await engine.panel(SPEC, range))).toEqual(want);
});

test('a line begins with what it was before the view, however long ago that was said', async () => {
  const engine = await engineOf(bridge());
  const range = { t0: 3000, t1: 3010, columns: 600 };
  expect(ranges(await engine.panel(SPEC, range))['queue:vif3.1']).toEqual([77, 77]);
  const values = await valuesAt(engine, SPEC, 3003.5, range);
  expect(values).toEqual({
    'queue:vif1.0': formatValue('packets', 1002),
    'queue:vif2.0': formatValue('packets', 3),
    'queue:vif3.1': formatValue('packets', 77),
  });
});

test('a log that names a port in every row does not make a line of each', async () => {
  const machine = new MachineTableBuilder();
  for (let i = 0; i < 5000; i++) machine.push(i, i, MACHINE_QUEUE, i, 1, 0);
  const engine = await engineOf(machine);
  const { layers } = await engine.panel(SPEC, { t0: 0, t1: 5000, columns: 600 });
  expect(layers.length).toBeLessThanOrEqual(64);
});
