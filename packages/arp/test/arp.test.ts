import { BROADCAST_HI, macHi, macLo, parseMac } from '@qanat/ethernet';
import { describe, expect, test } from 'vitest';
import {
  ARP_DROPPED,
  ARP_FORGOTTEN,
  ARP_PROBE,
  ARP_QUEUED,
  ARP_REACHABLE,
  ARP_REPLY,
  ARP_REQUEST,
  ARP_STALE,
  ARP_UNREACHABLE,
} from '../src/index.ts';
import { Harness, MASK, MY_IP, MY_MAC, PEER_IP, PEER_MAC, SECOND } from './harness.ts';

const OTHER_MAC = parseMac('00:16:3e:00:00:03');
const PEER_HI = macHi(PEER_MAC);
const FIXED = { reachableUs: 30 * SECOND };

function resolved(config = {}): Harness {
  const h = new Harness({ ...FIXED, ...config }).start();
  h.enqueue(PEER_IP, 1);
  h.packet(ARP_REPLY, PEER_MAC, PEER_IP, MY_MAC, MY_IP);
  h.sent.length = 0;
  return h;
}

describe('resolving', () => {
  test('the first packet waits, is sent with the MAC, and later ones do not wait', () => {
    const h = new Harness().start();
    expect(h.arp.lookup(PEER_IP, h.now)).toBeUndefined();
    expect(h.enqueue(PEER_IP, 7, 60)).toBe(ARP_QUEUED);
    expect(h.enqueue(PEER_IP, 8, 1500)).toBe(ARP_QUEUED);
    expect(h.sent).toEqual([
      { atUs: h.now, dstHi: BROADCAST_HI, operation: ARP_REQUEST, senderIp: MY_IP, targetIp: PEER_IP },
    ]);
    h.packet(ARP_REPLY, PEER_MAC, PEER_IP, MY_MAC, MY_IP);
    expect(h.delivered).toEqual([
      { ip: PEER_IP, macLo: macLo(PEER_MAC), first: 7, bytes: 60 },
      { ip: PEER_IP, macLo: macLo(PEER_MAC), first: 8, bytes: 1500 },
    ]);
    const entry = h.arp.lookup(PEER_IP, h.now)!;
    expect(entry).toMatchObject({ valid: true, macHi: PEER_HI, macLo: macLo(PEER_MAC), state: ARP_REACHABLE });
    expect(h.arp.pending).toBe(0);
  });

  test('a silent host gets three requests a second apart, then its packets fail; then it may be asked again', () => {
    const h = new Harness().start();
    const beganUs = h.now;
    h.enqueue(PEER_IP, 1);
    h.enqueue(PEER_IP, 2);
    h.run(3 * SECOND - 1);
    expect(h.failed).toEqual([]);
    h.run(1);
    expect(h.sent.map((s) => s.atUs - beganUs)).toEqual([0, SECOND, 2 * SECOND]);
    expect(h.failed).toEqual([PEER_IP]);
    expect(h.dropped.map((d) => d.first)).toEqual([1, 2]);
    expect(h.enqueue(PEER_IP, 3)).toBe(ARP_UNREACHABLE);
    expect(h.sent.length).toBe(3);
    h.run(SECOND);
    expect(h.enqueue(PEER_IP, 4)).toBe(ARP_QUEUED);
    expect(h.sent.length).toBe(4);
  });

  test('however many packets wait, one address is asked for once a second', () => {
    const h = new Harness().start();
    for (let i = 0; i < 3000; i++) {
      h.enqueue(PEER_IP, 1);
      h.run(SECOND / 1000);
    }
    expect(h.sent.length).toBe(3);
  });

  test('the oldest packets give way: per host, and in all from the longest queue', () => {
    const h = new Harness({ maxPendingPerEntry: 4, maxPending: 6 }).start();
    for (let i = 1; i <= 6; i++) h.enqueue(PEER_IP, i);
    expect(h.arp.pending).toBe(4);
    for (let i = 11; i <= 13; i++) h.enqueue(PEER_IP + 1, i);
    expect(h.arp.pending).toBe(6);
    h.packet(ARP_REPLY, PEER_MAC, PEER_IP, MY_MAC, MY_IP);
    h.packet(ARP_REPLY, OTHER_MAC, PEER_IP + 1, MY_MAC, MY_IP);
    expect(h.delivered.map((d) => d.first)).toEqual([4, 5, 6, 11, 12, 13]);
  });

  test('an unreachable host does not hold up another', () => {
    const h = new Harness().start();
    for (let i = 0; i < 50; i++) h.enqueue(PEER_IP + 1, 9);
    h.enqueue(PEER_IP, 1);
    expect(h.sent.at(-1)).toMatchObject({ targetIp: PEER_IP });
    h.packet(ARP_REPLY, PEER_MAC, PEER_IP, MY_MAC, MY_IP);
    expect(h.delivered.map((d) => d.first)).toEqual([1]);
  });

  test('a packet that is too long to wait is refused', () => {
    const h = new Harness().start();
    expect(h.enqueue(PEER_IP, 1, 9000)).toBe(ARP_DROPPED);
    expect(h.arp.stats.pendingDropped).toBe(1);
  });

  test('a full device keeps the packets waiting until it has room', () => {
    const h = new Harness().start();
    h.room = 2;
    for (let i = 1; i <= 3; i++) h.enqueue(PEER_IP, i);
    h.packet(ARP_REPLY, PEER_MAC, PEER_IP, MY_MAC, MY_IP);
    expect(h.delivered.map((d) => d.first)).toEqual([1]);
    expect(h.arp.isBlocked).toBe(true);
    h.arp.transmitReady();
    expect(h.delivered.length).toBe(1);
    expect(h.arp.isBlocked).toBe(true);
    h.room = 5;
    h.arp.transmitReady();
    expect(h.arp.isBlocked).toBe(false);
    expect(h.delivered.map((d) => d.first)).toEqual([1, 2, 3]);
  });

  test('a full device is not counted as the host being silent', () => {
    const h = new Harness().start();
    h.room = 0;
    h.enqueue(PEER_IP, 1);
    h.run(10 * SECOND);
    expect(h.failed).toEqual([]);
    h.room = 100;
    h.run(4 * SECOND);
    expect(h.sent.length).toBe(3);
    expect(h.failed).toEqual([PEER_IP]);
  });
});

describe('keeping entries fresh', () => {
  test('an idle entry becomes stale, asks nobody, and comes back valid with one look-up', () => {
    const h = resolved();
    const entry = h.arp.lookup(PEER_IP, h.now)!;
    h.run(46 * SECOND);
    expect(entry).toMatchObject({ state: ARP_STALE, valid: false });
    expect(h.sent).toEqual([]);
    expect(h.arp.lookup(PEER_IP, h.now)).toBe(entry);
    expect(entry).toMatchObject({ state: ARP_PROBE, valid: true });
  });

  test('a stale entry in use is asked by unicast and never stops being valid', () => {
    const h = resolved();
    h.run(46 * SECOND);
    const entry = h.arp.lookup(PEER_IP, h.now)!;
    h.run(5 * SECOND);
    expect(h.sent).toMatchObject([{ dstHi: PEER_HI, operation: ARP_REQUEST, targetIp: PEER_IP }]);
    h.packet(ARP_REPLY, PEER_MAC, PEER_IP, MY_MAC, MY_IP);
    expect(entry).toMatchObject({ state: ARP_REACHABLE, valid: true });
  });

  test('progress of a flow spares the request', () => {
    const h = resolved();
    h.run(46 * SECOND);
    const entry = h.arp.lookup(PEER_IP, h.now)!;
    for (let i = 0; i < 200; i++) {
      h.run(SECOND);
      h.arp.confirm(entry, h.now);
      expect(entry.valid).toBe(true);
    }
    expect(h.sent).toEqual([]);
    expect(h.arp.lookup(PEER_IP, h.now)).toBe(entry);
  });

  test('a neighbour that has gone: three unicasts, three broadcasts, failure; packets queue meanwhile', () => {
    const h = resolved();
    h.run(46 * SECOND);
    const entry = h.arp.lookup(PEER_IP, h.now)!;
    h.run(8 * SECOND);
    expect(entry.valid).toBe(false);
    expect(h.arp.lookup(PEER_IP, h.now)).toBeUndefined();
    expect(h.enqueue(PEER_IP, 5)).toBe(ARP_QUEUED);
    h.run(3 * SECOND);
    expect(h.sent.map((s) => s.dstHi === BROADCAST_HI)).toEqual([false, false, false, true, true, true]);
    expect(h.failed).toEqual([PEER_IP]);
    expect(h.dropped).toEqual([{ ip: PEER_IP, first: 5 }]);
    expect(entry.state).not.toBe(ARP_FORGOTTEN);
    h.run(SECOND);
    expect(entry.state).toBe(ARP_FORGOTTEN);
    expect(h.arp.size).toBe(0);
  });

  test('nobody looks it up for a minute: forgotten', () => {
    const h = resolved();
    const entry = h.arp.lookup(PEER_IP, h.now)!;
    h.run(61 * SECOND);
    expect(h.arp.lookup(PEER_IP, h.now)).toBeUndefined();
    expect(entry).toMatchObject({ state: ARP_FORGOTTEN, valid: false });
  });

  test('a changed MAC is taken once, with a new generation, and flapping is locked out', () => {
    const h = resolved();
    h.run(2 * SECOND);
    const entry = h.arp.lookup(PEER_IP, h.now)!;
    const generation = entry.generation;
    h.packet(ARP_REQUEST, OTHER_MAC, PEER_IP, OTHER_MAC, PEER_IP);
    expect(entry).toMatchObject({ macLo: macLo(OTHER_MAC), valid: false, state: ARP_STALE });
    expect(entry.generation).not.toBe(generation);
    h.packet(ARP_REQUEST, PEER_MAC, PEER_IP, PEER_MAC, PEER_IP);
    expect(entry.macLo).toBe(macLo(OTHER_MAC));
    expect(h.arp.stats.locked).toBe(1);
  });
});

describe('answering and learning', () => {
  test('a request for us is answered, and who asked is known for the answer to come', () => {
    const h = new Harness().start();
    h.packet(ARP_REQUEST, PEER_MAC, PEER_IP, new Uint8Array(6), MY_IP);
    expect(h.sent).toMatchObject([{ operation: ARP_REPLY, dstHi: PEER_HI, senderIp: MY_IP, targetIp: PEER_IP }]);
    expect(h.arp.lookup(PEER_IP, h.now)).toMatchObject({ valid: true, macLo: macLo(PEER_MAC) });
  });

  test('requests for others and unasked replies teach nothing', () => {
    const h = new Harness().start();
    h.packet(ARP_REQUEST, PEER_MAC, PEER_IP, new Uint8Array(6), PEER_IP + 5);
    h.packet(ARP_REPLY, PEER_MAC, PEER_IP, MY_MAC, PEER_IP + 5);
    h.packet(ARP_REQUEST, PEER_MAC, PEER_IP, new Uint8Array(6), PEER_IP);
    expect(h.arp.size).toBe(0);
    expect(h.sent).toEqual([]);
  });

  test('senders from other networks and network or broadcast addresses are not learned', () => {
    const h = new Harness().start();
    for (const ip of [0x0a000001, 0xc0a80800 | 0, 0xc0a808ff | 0]) {
      h.packet(ARP_REQUEST, PEER_MAC, ip, new Uint8Array(6), MY_IP);
    }
    expect(h.arp.size).toBe(0);
  });

  test('a flood of requests evicts no neighbour that we talk to', () => {
    const h = new Harness({ maxLearned: 8 });
    h.arp.setAddress(MY_IP, 0xffff0000 | 0, h.now);
    h.enqueue(PEER_IP, 1);
    h.packet(ARP_REPLY, PEER_MAC, PEER_IP, MY_MAC, MY_IP);
    h.enqueue(PEER_IP + 1, 1);
    for (let i = 0; i < 5000; i++) h.packet(ARP_REQUEST, OTHER_MAC, PEER_IP + 10 + i, new Uint8Array(6), MY_IP);
    expect(h.arp.size).toBe(2 + 8);
    expect(h.arp.lookup(PEER_IP, h.now)).toBeDefined();
    expect(h.arp.pending).toBe(1);
  });

  test('who asked for us and was answered is no longer among those who merely asked', () => {
    const h = new Harness({ maxLearned: 4 });
    h.arp.setAddress(MY_IP, 0xffff0000 | 0, h.now);
    h.packet(ARP_REQUEST, PEER_MAC, PEER_IP, new Uint8Array(6), MY_IP);
    const entry = h.arp.lookup(PEER_IP, h.now)!;
    for (let i = 0; i < 50; i++) h.packet(ARP_REQUEST, OTHER_MAC, PEER_IP + 10 + i, new Uint8Array(6), MY_IP);
    expect(entry.valid).toBe(true);
    expect(h.arp.lookup(PEER_IP, h.now)).toBe(entry);
  });

  test('many silent hosts stay within bounds', () => {
    const h = new Harness({ maxWaiting: 16, maxPending: 32 });
    h.arp.setAddress(MY_IP, 0xffff0000 | 0, h.now);
    for (let i = 0; i < 2000; i++) h.enqueue(PEER_IP + i, i & 0xff);
    expect(h.arp.size).toBe(16);
    expect(h.arp.pending).toBe(16);
    const free = h.pages.freePages;
    h.arp.close();
    expect(h.arp.pending).toBe(0);
    expect(h.pages.freePages).toBeGreaterThan(free);
    expect(h.time.timers.size).toBe(0);
  });
});

describe('our own address (RFC 5227)', () => {
  test('it is announced twice, two seconds apart, and usable at once', () => {
    const h = new Harness();
    h.arp.setAddress(MY_IP, MASK, 0);
    expect(h.ready).toBe(1);
    h.run(10 * SECOND);
    expect(h.sent.map((s) => [s.atUs, s.senderIp, s.targetIp])).toEqual([
      [0, MY_IP, MY_IP],
      [2 * SECOND, MY_IP, MY_IP],
    ]);
  });

  test('with probing, three probes go first and nothing is answered meanwhile', () => {
    const h = new Harness({ probe: true });
    h.arp.setAddress(MY_IP, MASK, 0);
    h.run(SECOND);
    h.packet(ARP_REQUEST, PEER_MAC, PEER_IP, new Uint8Array(6), MY_IP);
    expect(h.ready).toBe(0);
    h.run(20 * SECOND);
    expect(h.ready).toBe(1);
    expect(h.sent.map((s) => s.senderIp)).toEqual([0, 0, 0, MY_IP, MY_IP]);
    expect(h.sent.every((s) => s.operation === ARP_REQUEST && s.targetIp === MY_IP)).toBe(true);
  });

  test.each([
    ['an answer', ARP_REPLY, MY_IP],
    ["another host's probe", ARP_REQUEST, 0],
  ])('%s while probing means that the address is taken', (_name, operation, senderIp) => {
    const h = new Harness({ probe: true });
    h.arp.setAddress(MY_IP, MASK, 0);
    h.run(1.5 * SECOND);
    h.packet(operation, PEER_MAC, senderIp, new Uint8Array(6), MY_IP);
    h.run(20 * SECOND);
    expect(h.conflicts).toEqual([true]);
    expect(h.ready).toBe(0);
    expect(h.arp.claimState).toBe('lost');
  });

  test('a conflict is defended at most once in ten seconds', () => {
    const h = new Harness().start();
    for (let i = 0; i < 25; i++) {
      h.packet(ARP_REQUEST, PEER_MAC, MY_IP, new Uint8Array(6), PEER_IP);
      h.run(SECOND);
    }
    expect(h.sent.length).toBe(3);
    expect(h.conflicts.length).toBe(25);
    expect(h.arp.claimState).toBe('owned');
    expect(h.arp.lookup(MY_IP, h.now)).toBeUndefined();
  });

  test('who gives up does so at the second conflict, and answers no more', () => {
    const h = new Harness({ defence: 'give-up' }).start();
    h.packet(ARP_REPLY, PEER_MAC, MY_IP, MY_MAC, PEER_IP);
    expect(h.conflicts).toEqual([false]);
    h.packet(ARP_REPLY, PEER_MAC, MY_IP, MY_MAC, PEER_IP);
    expect(h.conflicts).toEqual([false, true]);
    h.sent.length = 0;
    h.packet(ARP_REQUEST, OTHER_MAC, PEER_IP, new Uint8Array(6), MY_IP);
    expect(h.sent).toEqual([]);
  });

  test("another host's probe for our address is answered", () => {
    const h = new Harness().start();
    h.packet(ARP_REQUEST, PEER_MAC, 0, new Uint8Array(6), MY_IP);
    expect(h.sent).toMatchObject([{ operation: ARP_REPLY }]);
    expect(h.arp.size).toBe(0);
  });
});
