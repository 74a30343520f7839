import { describe, expect, it } from 'vitest';
import { createSwitch, type SwitchOptions } from '../src/index.ts';
import { BROADCAST, createGround, Recorder, send, tagOf } from './harness.ts';

function setUp(options: Partial<SwitchOptions> = {}) {
  const ground = createGround();
  const freeBefore = ground.pages.freePages;
  const fabric = createSwitch({ ...ground.on, ports: 3, ...options });
  const hosts = fabric.ports.map((port) => new Recorder(port, ground.time));
  const tags = () => hosts.map((host) => host.frames.map(tagOf));
  return { ...ground, freeBefore, fabric, ports: fabric.ports, hosts, tags };
}

describe('a switch', () => {
  it('floods what it does not know, and learns from whom it hears', () => {
    const { ports, time, tags, fabric } = setUp();
    const [a, b, c] = ports as [(typeof ports)[0], (typeof ports)[0], (typeof ports)[0]];
    send(a, 1, { dst: c.mac });
    a.flush();
    time.run();
    expect(tags()).toEqual([[], [1], [1]]);
    send(c, 2, { dst: a.mac });
    c.flush();
    time.run();
    expect(tags()).toEqual([[2], [1], [1]]);
    send(a, 3, { dst: c.mac });
    send(a, 4, { dst: BROADCAST });
    send(b, 5, { dst: BROADCAST });
    a.flush();
    b.flush();
    time.run();
    expect(tags()).toEqual([
      [2, 5],
      [1, 4],
      [1, 3, 4, 5],
    ]);
    expect(fabric.counters).toEqual({ forwarded: 2, flooded: 3, filtered: 0, copyDrops: 0 });
  });

  it('hands over one frame to one host without a copy, and true copies to many', () => {
    const { ports, time, hosts, memory } = setUp();
    const addrs: number[] = [];
    for (const host of hosts) {
      host.onFrame = (packet) => {
        addrs.push(packet.addr);
        memory.u8.fill(0, packet.addr, packet.addr + packet.len);
      };
    }
    const packet = ports[0]!.allocate(1514)!;
    const addr = packet.addr;
    ports[0]!.release(packet);
    send(ports[0]!, 9, { dst: BROADCAST, bytes: 1514 });
    ports[0]!.flush();
    time.run();
    expect(addrs.length).toBe(2);
    expect(addrs[0]).not.toBe(addrs[1]);
    expect(addrs).toContain(addr);
    expect(hosts[2]!.frames[0]).toEqual(hosts[1]!.frames[0]);
    expect(hosts[1]!.frames[0]!.length).toBe(1514);
  });

  it('filters what is for the port that it comes from', () => {
    const { ports, time, tags, fabric } = setUp();
    const neighbour = new Uint8Array([2, 0, 0, 0, 0, 9]);
    send(ports[0]!, 1, { src: neighbour, dst: BROADCAST });
    send(ports[0]!, 2, { dst: neighbour });
    ports[0]!.flush();
    time.run();
    expect(tags()).toEqual([[], [1], [1]]);
    expect(fabric.counters.filtered).toBe(1);
  });

  it('bounds the queue of each port and counts what it drops', () => {
    const { ports, time, tags } = setUp({ ports: [{}, { queuePackets: 5 }, {}] });
    for (let tag = 0; tag < 8; tag++) send(ports[0]!, tag, { dst: BROADCAST });
    ports[0]!.flush();
    time.run();
    expect(tags()).toEqual([[], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 6, 7]]);
    expect(ports[1]).toMatchObject({ counters: { rxDrops: 3, rxFrames: 5 } });
  });

  it('floods a full ring of broadcasts to all ports', () => {
    const { ports, time, hosts } = setUp();
    let count = 0;
    while (send(ports[0]!, count, { dst: BROADCAST })) count++;
    ports[0]!.flush();
    time.run();
    expect(hosts.map((host) => host.frames.length)).toEqual([0, count, count]);
  });

  it('impairs the way to a port only', () => {
    const { ports, time, hosts } = setUp({ ports: [{}, { impair: { delayUs: 700 } }, {}] });
    send(ports[0]!, 1, { dst: BROADCAST });
    send(ports[1]!, 2, { dst: BROADCAST });
    ports[0]!.flush();
    ports[1]!.flush();
    time.run();
    expect(hosts.map((host) => host.log.filter((line) => line !== 'done'))).toEqual([
      ['0:2'],
      ['700:1'],
      ['0:1', '0:2'],
    ]);
  });

  it('forgets a port that is closed, and gives back its pages after the last', () => {
    const { ports, time, tags, pages, freeBefore } = setUp();
    send(ports[1]!, 1, { dst: BROADCAST });
    ports[1]!.flush();
    time.run();
    ports[1]!.close();
    send(ports[0]!, 2, { dst: ports[1]!.mac });
    ports[0]!.flush();
    time.run();
    expect(tags()).toEqual([[1], [], [1, 2]]);
    for (const port of ports) port.close();
    expect(pages.freePages).toBe(freeBefore);
  });

  it('names its ports and gives each an address', () => {
    const mac = new Uint8Array([2, 1, 2, 3, 4, 5]);
    const { ports } = setUp({ ports: [{ name: 'uplink', mac }, {}] });
    expect(ports.map((port) => port.name)).toEqual(['uplink', 'port1']);
    expect(ports.map((port) => Array.from(port.mac))).toEqual([
      [2, 1, 2, 3, 4, 5],
      [2, 0, 0, 0, 0, 2],
    ]);
  });

  it('refuses impossible options', () => {
    expect(() => setUp({ ports: 0 })).toThrow(RangeError);
    expect(() => setUp({ ports: [{ queuePackets: 0 }] })).toThrow(RangeError);
    expect(() => setUp({ entries: 1 })).toThrow(RangeError);
  });
});
