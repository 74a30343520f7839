import { describe, expect, it } from 'vitest';
import { TestMachine, testFrame } from './machine.ts';
import { type Pair, pair } from './pair.ts';

/** Dom0 moves `count` frames of `bytes` bytes, while `b` has no turn. */
function flood({ machine, a, b, portA }: Pair, count: number, bytes = 1514): void {
  let sent = 0;
  while (sent < count) {
    if (a.send(b.mac, bytes, sent)) {
      sent++;
      continue;
    }
    machine.netback.switchboard.run(portA.queues[0]!);
    machine.netback.switchboard.pass();
  }
  a.netif!.flush();
  for (let i = 0; i < 8; i++) {
    machine.netback.switchboard.run(portA.queues[0]!);
    machine.netback.switchboard.pass();
  }
}

describe('the queue of a port', () => {
  it('holds txqueuelen packets when no pages are posted, and drops the rest', async () => {
    const all = await pair({ txqueuelen: 10 });
    const { machine, a, b, portB } = all;
    a.run(() => {
      flood(all, 300);
      expect(portB.queued).toBe(10);
    });
    await machine.until(() => b.received === 266);
    await machine.pass(10);
    expect(b.received).toBe(266);
    expect(portB.counters).toMatchObject({
      rxPackets: 266,
      rxQueued: 10,
      queueDrops: 34,
      queueHighWater: 10,
      bufferDrops: 0,
      otherDrops: 0,
    });
    // The first ones are kept, in order.
    for (let i = 0; i < 266; i++) {
      expect(Buffer.compare(b.frames[i]!.bytes, testFrame(b.mac, a.mac, 1514, i))).toBe(0);
    }
    const [bridge] = machine.netback.stats();
    expect(bridge!.ports.find(({ name }) => name === 'vif2.0')).toMatchObject({ drops: 34, txqueuelen: 10, queued: 0 });
    expect(a.netfront.counters!.tx).toMatchObject({ packets: 300, errors: 0 });
  });

  it('goes back to copying straight when it is empty', async () => {
    const all = await pair();
    const { machine, a, b, portB } = all;
    a.run(() => flood(all, 400));
    await machine.until(() => b.received === 400);
    expect(portB.counters.rxQueued).toBe(144);
    a.run(() => flood(all, 100));
    await machine.until(() => b.received === 500);
    expect(portB.counters.rxQueued).toBe(144);
  });

  it('of packets with several slots', async () => {
    const all = await pair({ mtu: 65521 }, { dom0MiB: 24 });
    const { machine, a, b } = all;
    a.run(() => flood(all, 100, 65535));
    await machine.until(() => b.received === 100);
    for (let i = 0; i < 100; i++) {
      expect(Buffer.compare(b.frames[i]!.bytes, testFrame(b.mac, a.mac, 65535, i))).toBe(0);
    }
  });

  it('is emptied when the frontend goes', async () => {
    const all = await pair();
    const { machine, a, b, portB } = all;
    const { pool } = machine.netback.switchboard;
    a.run(() => {
      flood(all, 300);
      expect(pool.limitBlocks - pool.freeBlocks).toBe(44);
      machine.destroy(b.kernel.domid);
    });
    await machine.until(() => [...machine.netback.vifs].length === 1);
    expect(pool.freeBlocks).toBe(pool.limitBlocks);
    expect(portB.counters.otherDrops).toBe(44);
  });

  it('leaves buffers for others: a port gets no more than what stays free', async () => {
    const machine = await TestMachine.create({ dom0MiB: 3, reservedPages: 100 });
    const a = await machine.station('a');
    const b = await machine.station('b', { txqueuelen: 100_000 });
    const c = await machine.station('c', { txqueuelen: 100_000 });
    for (const station of [b, c]) {
      station.run(() => {
        station.send(a.mac, 60, 0);
        station.netif!.flush();
      });
    }
    await machine.until(() => a.received === 2);
    const [portA, portB, portC] = [...machine.netback.vifs].map(({ port }) => port);
    const { pool } = machine.netback.switchboard;
    const before = portB!.counters.rxPackets;
    a.run(() => {
      flood({ machine, a, b, portA: portA!, portB: portB! }, 4000);
      expect(Math.abs(portB!.queued - pool.limitBlocks / 2)).toBeLessThan(2);
      const { rxPackets, bufferDrops } = portB!.counters;
      expect(rxPackets - before + bufferDrops + portB!.queued).toBe(4000);
      flood({ machine, a, b: c, portA: portA!, portB: portC! }, 1000);
      expect(Math.abs(portC!.queued - pool.limitBlocks / 4)).toBeLessThan(2);
    });
    await machine.until(() => b.received === portB!.counters.rxPackets && portB!.queued === 0);
  });
});

describe('an impaired port', () => {
  it('delays', async () => {
    const { machine, a, b } = await pair({ impair: { delayUs: 12_345 } });
    const sentUs = machine.clock.now();
    a.run(() => {
      for (let i = 0; i < 3; i++) a.send(b.mac, 1000, i);
      a.netif!.flush();
    });
    await machine.until(() => b.received === 3);
    for (const [i, { atUs, bytes }] of b.frames.entries()) {
      // A turn of a domain may take some virtual microseconds.
      expect(Math.abs(atUs - sentUs - 12_345)).toBeLessThan(20);
      expect(Buffer.compare(bytes, testFrame(b.mac, a.mac, 1000, i))).toBe(0);
    }
    // The way back is not impaired.
    const backUs = machine.clock.now();
    b.run(() => {
      b.send(a.mac, 60, 1);
      b.netif!.flush();
    });
    await machine.until(() => a.received === 2);
    expect(machine.clock.now() - backUs).toBeLessThan(20);
  });

  it('serializes at its rate, behind a queue of txqueuelen packets', async () => {
    const all = await pair({ txqueuelen: 20, impair: { rateBitsPerSecond: 8e6 } });
    const { machine, a, b, portB } = all;
    const startUs = machine.clock.now();
    a.run(() => flood(all, 50, 1000));
    await machine.until(() => b.received === 20);
    await machine.pass(100);
    expect(b.received).toBe(20);
    for (const [i, { atUs }] of b.frames.entries()) expect(Math.abs(atUs - startUs - (i + 1) * 1000)).toBeLessThan(20);
    expect(portB.impairment!.counters.queueDrops).toBe(30);
  });

  it('loses, doubles and damages by its seed, and counts', async () => {
    const run = async (seed: number): Promise<{ digest: string; all: Pair }> => {
      const all = await pair({ impair: { lossRate: 0.2, duplicateRate: 0.1, corruptRate: 0.1, delayUs: 100, seed } });
      const { machine, a } = all;
      a.run(() => flood(all, 500, 200));
      await machine.pass(50);
      return { digest: all.b.frames.map(({ bytes }) => Buffer.from(bytes).toString('base64')).join('|'), all };
    };
    const [first, again, other] = [await run(1), await run(1), await run(2)];
    expect(again.digest).toBe(first.digest);
    expect(other.digest).not.toBe(first.digest);
    const { b, portB, a } = first.all;
    const { lost, duplicated, corrupted } = portB.impairment!.counters;
    expect(lost).toBeGreaterThan(60);
    expect(b.received).toBe(500 - lost + duplicated);
    const whole = new Set(
      Array.from({ length: 500 }, (_, i) => Buffer.from(testFrame(b.mac, a.mac, 200, i)).toString('base64')),
    );
    const damaged = b.frames.filter(({ bytes }) => !whole.has(Buffer.from(bytes).toString('base64')));
    expect(damaged.length).toBe(corrupted);
    const [bridge] = first.all.machine.netback.stats();
    expect(bridge!.ports[1]!.drops).toBe(lost);
  });

  it('reorders', async () => {
    const all = await pair({ impair: { reorderRate: 0.2, reorderUs: 500, delayUs: 100 } });
    const { machine, a, b } = all;
    let sent = 0;
    a.run(() => flood(all, 200, 100));
    sent = 200;
    await machine.until(() => b.received === sent);
    expect(b.frames.map(({ atUs }) => atUs)).toEqual(b.frames.map(({ atUs }) => atUs).sort((x, y) => x - y));
    const expected = Array.from({ length: 200 }, (_, i) => testFrame(b.mac, a.mac, 100, i));
    expect(b.frames.some(({ bytes }, i) => Buffer.compare(bytes, expected[i]!) !== 0)).toBe(true);
  });
});
