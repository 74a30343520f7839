import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BROADCAST, type Station, TestMachine, testFrame } from './machine.ts';

/** Sends frames of these sizes as fast as the ring takes them. */
function stream(from: Station, to: Station, sizes: readonly number[]): void {
  let sent = 0;
  const more = (): void => {
    while (sent < sizes.length && from.send(to.mac, sizes[sent]!, sent)) sent++;
    from.netif!.flush();
  };
  from.onReady = more;
  from.run(more);
}

async function expectStream(machine: TestMachine, a: Station, b: Station, sizes: readonly number[]): Promise<void> {
  b.frames.length = 0;
  stream(a, b, sizes);
  await machine.until(() => b.frames.length === sizes.length, 100);
  for (const [i, size] of sizes.entries()) {
    const expected = testFrame(b.mac, a.mac, size, i);
    // Comparing with toEqual byte by byte is slow for long frames.
    if (Buffer.compare(b.frames[i]!.bytes, expected) !== 0) expect(b.frames[i]!.bytes).toEqual(expected);
  }
}

describe('frames between two domains', () => {
  it('carries them both ways, unchanged and in order', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const sizes = Array.from({ length: 10 }, (_, i) => 60 + i * 144);
    await expectStream(machine, a, b, sizes);
    await expectStream(machine, b, a, [14, 15, 1513, 1514]);
    expect(machine.errors).toEqual([]);
  });

  it('floods to all others what is for everybody or nobody it knows, and learns', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const c = await machine.station('c');
    a.run(() => {
      a.send(BROADCAST, 100, 1);
      a.send(c.mac, 100, 2);
      a.netif!.flush();
    });
    await machine.until(() => b.received === 2 && c.received === 2);
    await expectStream(machine, c, a, [100]);
    await machine.pass(10);
    expect(b.received).toBe(2);
    await expectStream(machine, a, c, [100]);
    await machine.pass(10);
    expect(b.received).toBe(2);
    const [bridge] = machine.netback.stats();
    expect(bridge).toMatchObject({ forwarded: 2, flooded: 2, filtered: 0 });
  });

  it('keeps bridges apart', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b', { bridge: 'xenbr1' });
    a.run(() => {
      a.send(BROADCAST, 100, 1);
      a.send(b.mac, 100, 2);
      a.netif!.flush();
    });
    await machine.pass(10);
    expect(b.received).toBe(0);
    expect(machine.netback.stats().map(({ name, ports }) => [name, ports.length])).toEqual([
      ['xenbr0', 1],
      ['xenbr1', 1],
    ]);
  });

  it('forwards nothing from a group address, to itself, or to the bridge next door', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    a.run(() => {
      const { u8 } = a.kernel.memory;
      const from = (mac: readonly number[], to: readonly number[]): void => {
        const packet = a.netif!.allocate(60)!;
        u8.set(to, packet.addr);
        u8.set(mac, packet.addr + 6);
        a.netif!.transmit(packet);
      };
      from([1, 0, 0, 0, 0, 1], [...b.mac]);
      from([0, 0, 0, 0, 0, 0], [...b.mac]);
      from([...a.mac], [...a.mac]);
      from([...a.mac], [0x01, 0x80, 0xc2, 0, 0, 0x0e]);
      a.netif!.flush();
    });
    await machine.pass(10);
    expect(b.received).toBe(0);
    expect(machine.netback.stats()[0]!.filtered).toBe(4);
    expect(a.netfront.counters!.tx.errors).toBe(0);
  });

  it('fills all 256 slots in one burst, and reports each packet once', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    let accepted = 0;
    a.run(() => {
      while (a.send(b.mac, 1514, accepted)) accepted++;
      a.netif!.flush();
    });
    await machine.until(() => b.received === 256);
    expect(accepted).toBe(256);
    const { tx } = a.netfront.counters!;
    expect([tx.packets, tx.slots, tx.ringFull]).toEqual([256, 256, 1]);
    expect(b.netfront.counters!.rx).toMatchObject({
      packets: 256,
      bytes: 256 * 1514,
      slots: 256,
      errors: 0,
      dropped: 0,
    });
  });

  it('hands up frames whose IP header is 4-aligned, stamped, and in batches', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    b.onFrame = (packet) => {
      expect(packet.addr & 3).toBe(2);
      expect(packet.headLen).toBe(packet.len);
      expect(packet.arrivedUs).toBe(machine.clock.now());
    };
    await machine.pass(7);
    stream(a, b, new Array(64).fill(1000));
    await machine.until(() => b.received === 64);
    expect(b.batches).toBeLessThan(4);
    expect(a.netif!.allocate(1514)!.addr & 3).toBe(2);
  });

  it('asks for few events: batches go without one', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    stream(a, b, new Array(2560).fill(1514));
    await machine.until(() => b.received === 2560);
    const { tx } = a.netfront.counters!;
    const [{ port }] = [...machine.netback.vifs] as [{ port: { counters: { notifications: number } } }];
    expect(tx.notifications).toBeLessThan(64);
    // Twenty times half a ring.
    expect(port.counters.notifications).toBeLessThanOrEqual(24);
  });
});

describe('packets of several slots', () => {
  it('up to 65535 bytes, whatever their length', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a', { mtu: 65521 });
    const b = await machine.station('b', { mtu: 65521 });
    b.onFrame = (packet) => {
      expect(packet.headLen >= 128 || packet.headLen === packet.len).toBe(true);
    };
    const edges = [4093, 4094, 4095, 4096, 8189, 8190, 8191, 8192, 9014, 65534, 65535, 14, 2046, 2047, 61439, 61440];
    await expectStream(machine, a, b, edges);
    await expectStream(machine, b, a, edges.reverse());
    const long = new Array(100).fill(65535);
    await expectStream(machine, a, b, long);
    expect(machine.errors).toEqual([]);
    expect(() => a.netif!.allocate(65540)).toThrow(RangeError);
  });

  it('of every length (property)', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a', { mtu: 65521 });
    const b = await machine.station('b', { mtu: 65521 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 14, max: 300 }), fc.integer({ min: 14, max: 65535 })), {
          minLength: 1,
          maxLength: 40,
        }),
        (sizes) => expectStream(machine, a, b, sizes),
      ),
      { numRuns: 25 },
    );
    expect(machine.errors).toEqual([]);
  });

  it('is sent in part of what was allocated', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a', { mtu: 9000 });
    const b = await machine.station('b', { mtu: 9000 });
    a.run(() => {
      const packet = a.netif!.allocate(9014)!;
      const frame = testFrame(b.mac, a.mac, 5000, 1);
      a.kernel.memory.u8.set(frame, packet.addr + 3000);
      packet.set(packet.addr + 3000, 5000);
      a.netif!.transmit(packet);
      a.netif!.flush();
    });
    await machine.until(() => b.received === 1);
    expect(Buffer.compare(b.frames[0]!.bytes, testFrame(b.mac, a.mac, 5000, 1))).toBe(0);
    await expectStream(machine, a, b, new Array(300).fill(9014));
  });
});

describe('ring indices that wrap', () => {
  it.each([0xffffff00, 0xfffffff0, 0x7fffff80])('from %i on', async (ringStartIndex) => {
    const machine = await TestMachine.create();
    const a = await machine.station('a', { mtu: 9000 }, { ringStartIndex });
    const b = await machine.station('b', { mtu: 9000 }, { ringStartIndex });
    const sizes = Array.from({ length: 700 }, (_, i) => 60 + ((i * 331) % 8900));
    await expectStream(machine, a, b, sizes);
    await expectStream(machine, b, a, sizes);
    expect(machine.errors).toEqual([]);
  });
});
