/**
 * What a packet costs each of the three domains, without TCP: one fills its TX ring, Dom0 makes a pass, the other drains.
 * Medians over passes, so that a busy machine does not matter much. Not run by default; call `measure` from a script.
 */
import { TestMachine } from './machine.ts';

const FRAMES = 200_000;
const BURST = 64;

/** @returns nanoseconds per packet: of Dom0's passes, of the sender, of the receiver. */
export async function measure(frameBytes: number): Promise<{ dom0: number; sender: number; receiver: number }> {
  const mtu = Math.max(1500, frameBytes - 14);
  const machine = await TestMachine.create({ memoryMiB: 96, dom0MiB: 32 });
  const a = await machine.station('a', { mtu });
  const b = await machine.station('b', { mtu });
  b.keeps = false;
  b.run(() => {
    b.send(a.mac, 60, 0);
    b.netif!.flush();
  });
  await machine.until(() => a.received === 1);
  const [portA] = [...machine.netback.vifs].map(({ port }) => port.queues[0]!);
  const { switchboard } = machine.netback;
  const netif = a.netif!;
  const to = b.mac;
  const header = new Uint8Array(14);
  header.set(to, 0);
  header.set(a.mac, 6);
  const dom0: number[] = [];
  const sender: number[] = [];
  const receiver: number[] = [];
  for (let round = 0; round < FRAMES / BURST; round++) {
    const t0 = process.hrtime();
    let queued = 0;
    while (queued < BURST) {
      const packet = netif.allocate(frameBytes);
      if (packet === null) break;
      a.kernel.memory.u8.set(header, packet.addr);
      netif.transmit(packet);
      queued++;
    }
    netif.flush();
    const t1 = process.hrtime(t0);
    switchboard.run(portA!);
    const t2 = process.hrtime();
    switchboard.pass();
    const t3 = process.hrtime(t2);
    const t4 = process.hrtime();
    b.netfront.device!.poll();
    a.netfront.device!.poll();
    const t5 = process.hrtime(t4);
    if (round < 1000 || queued === 0) continue;
    sender.push((t1[0] * 1e9 + t1[1]) / queued);
    dom0.push((t3[0] * 1e9 + t3[1]) / queued);
    receiver.push((t5[0] * 1e9 + t5[1]) / queued);
  }
  return { dom0: median(dom0), sender: median(sender), receiver: median(receiver) };
}

function median(values: number[]): number {
  values.sort((x, y) => x - y);
  return Math.round(values[values.length >>> 1]!);
}
