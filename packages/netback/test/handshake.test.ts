import { createNetfront, type Netfront } from '@qanat/netfront';
import type { Kernel } from '@qanat/os';
import { GRANT_ENTRIES } from '@qanat/xen';
import { describe, expect, it } from 'vitest';
import { LooseFrontend } from './loose-frontend.ts';
import { type Station, TestMachine } from './machine.ts';

/** The values of all nodes below a directory. */
async function nodes(machine: TestMachine, path: string): Promise<Record<string, string>> {
  let names: string[] | undefined;
  machine.dom0.xenstore.directory(path, (_error, found) => {
    names = found;
  });
  await machine.until(() => names !== undefined);
  let values: (string | undefined)[] | undefined;
  machine.dom0.xenstore.readMany(
    names!.map((name) => `${path}/${name}`),
    (_error, found) => {
      values = found;
    },
  );
  await machine.until(() => values !== undefined);
  return Object.fromEntries(names!.map((name, i) => [name, values![i] ?? '']));
}

function exchange(machine: TestMachine, a: Station, b: Station): Promise<void> {
  const [fromA, fromB] = [a.received, b.received];
  a.run(() => {
    a.send(b.mac, 80, 1);
    a.netif!.flush();
  });
  b.run(() => {
    b.send(a.mac, 80, 1);
    b.netif!.flush();
  });
  return machine.until(() => a.received > fromA && b.received > fromB, 100);
}

describe('the handshake', () => {
  it('goes in the order of XenbusState: 1, backend 2, frontend 4, backend 4, and then calls back', async () => {
    const machine = await TestMachine.create();
    const kernel = await machine.domain('a');
    let isUp = false;
    machine.plug(kernel.domid, 0);
    const back = `/local/domain/0/backend/vif/${kernel.domid}/0`;
    await machine.until(() => machine.trace.includes('back1 2'));
    expect(machine.trace.filter((entry) => entry !== 'front1 1')).toEqual(['back1 1', 'back1 2']);
    createNetfront(kernel, 0, () => {
      isUp = true;
      machine.trace.push('callback');
    });
    await machine.until(() => isUp);
    const order = machine.trace.filter((entry) => entry !== 'front1 1');
    // The toolstack's own view of the last state may come after the frontend's.
    expect(order.slice(0, 3)).toEqual(['back1 1', 'back1 2', 'front1 4']);
    await machine.pass(10);
    expect(machine.trace).toContain('back1 4');
    expect(await nodes(machine, back)).toMatchObject({
      'feature-sg': '1',
      'feature-rx-copy': '1',
      'feature-rx-flip': '0',
      'feature-rx-notify': '1',
      'feature-smart-poll': '0',
      'feature-gso-tcpv4': '1',
      'feature-no-csum-offload': '0',
      'hotplug-status': 'connected',
      state: '4',
    });
    const front = await nodes(machine, `/local/domain/${kernel.domid}/device/vif/0`);
    expect(front).toMatchObject({
      'request-rx-copy': '1',
      'feature-rx-notify': '1',
      'feature-sg': '1',
      'feature-rx-flip': '0',
      'feature-smart-poll': '0',
      'feature-gso-tcpv4': '1',
      'feature-no-csum-offload': '0',
      state: '4',
    });
    for (const key of ['tx-ring-ref', 'rx-ring-ref', 'event-channel']) expect(Number(front[key])).toBeGreaterThan(0);
  });

  it('writes rings and features in one transaction, before the state', async () => {
    const machine = await TestMachine.create();
    const kernel = await machine.domain('a');
    machine.plug(kernel.domid, 0);
    await machine.until(() => machine.trace.includes('back1 2'));
    const seen: string[] = [];
    const front = `/local/domain/${kernel.domid}/device/vif/0`;
    machine.dom0.xenstore.watch(front, (path) => {
      const key = path.slice(front.length + 1);
      machine.dom0.xenstore.readMany([`${front}/tx-ring-ref`, `${front}/event-channel`], (_error, [ring, channel]) => {
        seen.push(`${key} ${ring === undefined ? '-' : 'ring'} ${channel === undefined ? '-' : 'channel'}`);
      });
    });
    let isUp = false;
    createNetfront(kernel, 0, () => {
      isUp = true;
    });
    await machine.until(() => isUp);
    await machine.pass(10);
    expect(seen.some((entry) => /ring -|- channel/.test(entry))).toBe(false);
    expect(seen.at(-1)).toBe('state ring channel');
  });

  it('of a frontend that writes 4 before it has seen 2, as Mirage does', async () => {
    const machine = await TestMachine.create();
    const b = await machine.station('b');
    let a: LooseFrontend | undefined;
    let isUp = false;
    const kernel = await machine.domain('a', (guest) => {
      // All of its nodes and state 4 are there when the backend comes.
      a = new LooseFrontend(guest);
      a.start(() => {
        isUp = true;
      });
    });
    machine.plug(kernel.domid, 0);
    await machine.until(() => isUp);
    a!.kernel.loop.defer(() => {
      a!.send(b.mac, 60, 1);
      a!.flush();
    });
    await machine.until(() => b.received === 1, 100);
  });

  it('takes the MAC and MTU of xenstore, and others where those cannot be', async () => {
    const machine = await TestMachine.create();
    const kernel = await machine.domain('a');
    machine.plug(kernel.domid, 0, { mtu: 9000 });
    machine.plug(kernel.domid, 1);
    const path = `/local/domain/${kernel.domid}/device/vif/1`;
    await machine.until(() => [...machine.netback.vifs].length === 2);
    machine.dom0.xenstore.write(`${path}/mac`, 'ff:ff:ff:ff:ff:ff');
    machine.dom0.xenstore.write(`${path}/mtu`, '1e9');
    const fronts: Netfront[] = [0, 1].map((index) => createNetfront(kernel, index, () => {}));
    await machine.until(() => fronts.every(({ state }) => state === 'connected'));
    const [first, second] = fronts.map(({ device }) => device!);
    expect([...first!.mac]).toEqual([0, 0x16, 0x3e, 0, kernel.domid, 0]);
    expect([first!.name, first!.mtu]).toEqual(['eth0', 9000]);
    expect(second!.mac[0]! & 3).toBe(2);
    expect([second!.name, second!.mtu]).toEqual(['eth1', 65521]);
  });
});

describe('closing', () => {
  it('from the frontend: 5, backend 5, frontend 6, backend 6, and everything is given back', async () => {
    const machine = await TestMachine.create();
    let isClosed = false;
    const a = await machine.station('a', {}, { onClosed: () => (isClosed = true) });
    const { grants, pages } = a.kernel;
    await machine.pass(10);
    machine.trace.length = 0;
    a.run(() => a.netif!.close());
    await machine.until(() => isClosed);
    await machine.pass(10);
    // The toolstack looks at states one after the other; between two looks, one may have changed twice.
    expect(machine.trace.filter((entry) => entry.startsWith('front'))).toEqual(['front1 5', 'front1 6']);
    expect(machine.trace.at(-1)).toBe('back1 6');
    expect(a.netfront.state).toBe('closed');
    expect(grants.free).toBe(GRANT_ENTRIES - 8);
    expect(pages.freePages).toBe(pages.frameCount);
    expect(a.netif!.allocate(100)).toBeNull();
    expect(machine.dom0.hypercalls.grantMap(a.kernel.domid, 8, true).status).not.toBe(0);
  });

  it('from the backend: the frontend follows to 6, and comes back when the backend is online', async () => {
    const machine = await TestMachine.create();
    const states: string[] = [];
    const a = await machine.station('a', {}, { onUp: () => states.push('up'), onDown: () => states.push('down') });
    const b = await machine.station('b');
    await exchange(machine, a, b);
    const [vif] = machine.netback.vifs;
    vif!.kill('the test wants it');
    await machine.until(() => states.length === 2);
    expect(states).toEqual(['down', 'up']);
    expect(machine.errors).toEqual(['vif1.0 is disabled: the test wants it']);
    await exchange(machine, a, b);
  });

  it('reconnects again and again, with pauses, and wakes who waited for room meanwhile', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const [vif] = machine.netback.vifs;
    for (let round = 0; round < 4; round++) {
      vif!.kill('again');
      await machine.until(() => a.netfront.state !== 'connected');
      const { ready } = a;
      expect(a.netif!.allocate(100)).toBeNull();
      await machine.until(() => a.ready > ready);
      await exchange(machine, a, b);
    }
    expect(machine.clock.now()).toBeGreaterThan(6e6);
    expect(a.kernel.grants.free).toBeGreaterThan(GRANT_ENTRIES - 8 - 700);
  });

  it('a packet that was allocated before a reconnect can be sent after it, or given back', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    await exchange(machine, a, b);
    const first = a.netif!.allocate(60)!;
    const second = a.netif!.allocate(60)!;
    const third = a.netif!.allocate(60)!;
    const { freeBuffers } = a.netfront.device!.queues[0]!.pool;
    const [vif] = machine.netback.vifs;
    vif!.kill('again');
    await machine.until(() => a.netfront.state !== 'connected');
    a.netif!.release(third);
    await machine.until(() => a.netfront.state === 'connected');
    const { received } = b;
    a.run(() => {
      a.kernel.memory.u8.set(b.mac, first.addr);
      a.kernel.memory.u8.set(a.mac, first.addr + 6);
      a.netif!.transmit(first);
      a.netif!.release(second);
      a.netif!.flush();
    });
    await machine.until(() => b.received > received);
    a.run(() => a.netfront.device!.poll());
    await machine.pass(1);
    expect(a.netfront.device!.queues[0]!.pool.freeBuffers).toBe(freeBuffers + 3);
  });

  it('stays closed when the device is unplugged (online 0)', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const back = `/local/domain/0/backend/vif/${a.kernel.domid}/0`;
    machine.dom0.xenstore.write(`${back}/online`, '0');
    machine.dom0.xenstore.write(`${back}/state`, '5');
    await machine.pass(5000);
    expect(a.netfront.state).not.toBe('connected');
    expect(machine.trace.filter((entry) => entry.startsWith('front')).at(-1)).toBe('front1 6');
    expect([...machine.netback.vifs][0]!.state).toBe(6);
  });
});

describe('death', () => {
  it('of a frontend’s domain: its port goes, its memory is free again, others go on, and a successor is served', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    await exchange(machine, a, b);
    const free = machine.hypervisor.freeBytes;
    const { domid } = a.kernel;
    machine.destroy(domid);
    await machine.until(() => [...machine.netback.vifs].length === 1);
    await machine.pass(10);
    expect(machine.hypervisor.domain(domid)).toBeUndefined();
    expect(machine.hypervisor.freeBytes).toBeGreaterThan(free + 7 * 1024 * 1024);
    b.run(() => {
      b.send(a.mac, 100, 7);
      b.netif!.flush();
    });
    await machine.pass(10);
    const c = await machine.station('c');
    await exchange(machine, b, c);
  });

  it('of a frontend’s domain: its addresses are forgotten, and do not lead to who comes after it', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a');
    const b = await machine.station('b');
    const c = await machine.station('c');
    await exchange(machine, a, b);
    const { mac } = a;
    machine.destroy(a.kernel.domid);
    await machine.until(() => [...machine.netback.vifs].length === 2);
    const d = await machine.station('d');
    const { received } = c;
    b.run(() => {
      b.send(mac, 100, 1);
      b.netif!.flush();
    });
    await machine.until(() => d.received === 1 && c.received === received + 1, 100);
  });

  it('of a frontend’s domain while frames wait for it', async () => {
    const machine = await TestMachine.create();
    const a = await machine.station('a', { impair: { delayUs: 5000 } });
    const b = await machine.station('b');
    await exchange(machine, a, b);
    b.run(() => {
      for (let i = 0; i < 100; i++) b.send(a.mac, 1514, i);
      b.netif!.flush();
    });
    await machine.pass(2);
    const { pool } = machine.netback.switchboard;
    const free = pool.freeBlocks;
    machine.destroy(a.kernel.domid);
    await machine.pass(50);
    expect(pool.freeBlocks).toBe(free + 100);
    expect(pool.freeBlocks).toBe(pool.limitBlocks);
  });

  it('of the backend: the frontend lets go, and connects to the next one', async () => {
    const machine = await TestMachine.create();
    let downs = 0;
    const a = await machine.station('a', {}, { onDown: () => downs++ });
    const back = `/local/domain/0/backend/vif/${a.kernel.domid}/0`;
    machine.dom0.xenstore.rm(back);
    await machine.until(() => downs === 1);
    expect(a.netfront.state).toBe('initialising');
    machine.plug(a.kernel.domid, 0);
    await machine.until(() => a.netfront.state === 'connected');
    const b = await machine.station('b');
    await exchange(machine, a, b);
  });
});

describe('what a frontend may write', () => {
  const bad: readonly [string, Record<string, string>, RegExp][] = [
    ['no rings', { 'tx-ring-ref': '' }, /tx-ring-ref/],
    ['a ring that is no number', { 'rx-ring-ref': '0x10' }, /rx-ring-ref/],
    ['a ring that was not granted', { 'tx-ring-ref': '4000' }, /tx ring cannot be mapped/],
    ['a ring reference out of range', { 'rx-ring-ref': '2147483647' }, /rx ring cannot be mapped/],
    ['a channel that is not offered', { 'event-channel': '1' }, /event channel 1 cannot be bound/],
    ['a channel that cannot be', { 'event-channel': '99999' }, /event channel 99999 cannot be bound/],
    ['no wish for copied packets', { 'request-rx-copy': '0' }, /request-rx-copy/],
    ['no events for pages', { 'feature-rx-notify': '' }, /feature-rx-notify/],
  ];

  it.each(bad)('%s: the vif is refused, and nothing stays mapped', async (_name, change, message) => {
    const machine = await TestMachine.create();
    const b = await machine.station('b');
    let guest!: Kernel;
    await machine.domain('a', (kernel) => {
      guest = kernel;
    });
    machine.plug(guest.domid, 0);
    await machine.until(() => machine.trace.includes(`back${guest.domid} 2`));
    const front = new LooseFrontend(guest);
    front.start(() => {});
    await machine.until(() => machine.trace.includes(`back${guest.domid} 4`));
    const path = `/local/domain/${guest.domid}/device/vif/0`;
    guest.xenstore.write(`${path}/state`, '6');
    await machine.until(() => machine.trace.at(-1) === `back${guest.domid} 6`);
    const maps = machine.dom0.hypercalls.counters.grantMaps;
    for (const [key, value] of Object.entries(change)) guest.xenstore.write(`${path}/${key}`, value);
    guest.xenstore.write(`${path}/state`, '4');
    await machine.until(() => machine.errors.length === 1, 100);
    expect(machine.errors[0]).toMatch(message);
    await machine.until(() => machine.trace.at(-1) === `back${guest.domid} 5`);
    expect(machine.dom0.hypercalls.counters.grantMaps - maps).toBeLessThanOrEqual(2);
    machine.destroy(guest.domid);
    await machine.pass(10);
    expect(machine.hypervisor.domain(guest.domid)).toBeUndefined();
    b.run(() => b.netif!.flush());
  });

  it('what the toolstack writes is checked, too', async () => {
    const machine = await TestMachine.create();
    const kernel = await machine.domain('a');
    machine.plug(kernel.domid, 0, { impair: { lossRate: 7 } });
    machine.plug(kernel.domid, 1, { txqueuelen: 0 });
    await machine.until(() => machine.errors.length === 2);
    expect(machine.errors.join('\n')).toMatch(/lossRate is 7[\s\S]*txqueuelen is 0/);
  });
});
