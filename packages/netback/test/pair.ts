import type { Port } from '../src/index.ts';
import { type Station, TestMachine, type VifOptions } from './machine.ts';

export interface Pair {
  readonly machine: TestMachine;
  readonly a: Station;
  readonly b: Station;
  readonly portA: Port;
  readonly portB: Port;
}

/** Two stations that know each other; `options` are of b's vif. */
export async function pair(options: VifOptions = {}, machineOptions: object = {}): Promise<Pair> {
  const machine = await TestMachine.create(machineOptions);
  const a = await machine.station('a', options.mtu === undefined ? {} : { mtu: options.mtu });
  const b = await machine.station('b', options);
  b.run(() => {
    b.send(a.mac, 60, 0);
    b.netif!.flush();
  });
  await machine.until(() => a.received === 1);
  const [portA, portB] = [...machine.netback.vifs].map(({ port }) => port);
  return { machine, a, b, portA: portA!, portB: portB! };
}
