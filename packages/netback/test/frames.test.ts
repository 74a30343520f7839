import { describe, expect, it } from 'vitest';
import { BROADCAST, TestMachine, testFrame } from './machine.ts';

describe('frames between two domains', () => {
  it('carries them both ways, unchanged and in order', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    a.run(() => {
      for (let i = 0; i < 10; i++) a.send(b.mac, 60 + i * 144, i);
      a.netif!.flush();
    });
    await machine.until(() => b.received === 10);
    for (let i = 0; i < 10; i++) expect(b.frames[i]!.bytes).toEqual(testFrame(b.mac, a.mac, 60 + i * 144, i));
    b.run(() => {
      b.send(a.mac, 1514, 99);
      b.netif!.flush();
    });
    await machine.until(() => a.received === 1);
    expect(a.frames[0]!.bytes).toEqual(testFrame(a.mac, b.mac, 1514, 99));
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
    c.run(() => {
      c.send(a.mac, 100, 3);
      c.netif!.flush();
    });
    await machine.until(() => a.received === 1);
    await machine.pass(10);
    expect(b.received).toBe(2);
    a.run(() => {
      a.send(c.mac, 100, 4);
      a.netif!.flush();
    });
    await machine.until(() => c.received === 3);
    await machine.pass(10);
    expect(b.received).toBe(2);
    const [bridge] = machine.netback.stats();
    expect(bridge).toMatchObject({ forwarded: 2, flooded: 2, filtered: 0 });
  });
});
