import { ETH_TYPE_ARP } from '@qanat/ethernet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as wire from '../src/index.ts';
import { Harness, MY_IP, PEER_IP } from './harness.ts';

const bytes = (hex: string) => Uint8Array.from(hex.match(/../g)!, (b) => Number.parseInt(b, 16));

describe('wire', () => {
  test('a request frame, byte for byte', () => {
    const h = new Harness();
    wire.writeFrame(h.memory, 64, 0xffff, -1, 0x0016, 0x3e000001, wire.ARP_REQUEST, MY_IP, 0, 0, PEER_IP);
    expect(h.memory.u8.slice(64, 64 + wire.ARP_FRAME_BYTES)).toEqual(
      bytes('ffffffffffff00163e00000108060001080006040001' + '00163e000001c0a80801' + '000000000000c0a80802'),
    );
    expect(ETH_TYPE_ARP).toBe(0x0806);
  });

  test('what is written is read back', () => {
    const h = new Harness();
    const hi = fc.integer({ min: 0, max: 0xffff });
    const lo = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    fc.assert(
      fc.property(hi, lo, lo, hi, lo, lo, (senderHi, senderLo, senderIp, targetHi, targetLo, targetIp) => {
        const m = h.memory;
        wire.writePacket(m, 65, 2, senderHi, senderLo, senderIp, targetHi, targetLo, targetIp);
        expect([
          wire.getOperation(m, 65),
          wire.getSenderHi(m, 65),
          wire.getSenderLo(m, 65),
          wire.getSenderIp(m, 65),
          wire.getTargetHi(m, 65),
          wire.getTargetLo(m, 65),
          wire.getTargetIp(m, 65),
        ]).toEqual([2, senderHi, senderLo, senderIp, targetHi, targetLo, targetIp]);
      }),
    );
  });

  test.each([
    ['a wrong hardware type', 0, 2],
    ['a wrong protocol', 2, 2],
    ['a wrong hardware length', 4, 2],
    ['a wrong protocol length', 5, 2],
    ['an unknown operation', 6, 3],
    ['a group MAC as sender', 8, 4],
    ['a multicast address as sender', 14, 4],
  ])('%s is refused', (_name, offset, problem) => {
    const h = new Harness();
    wire.writePacket(h.memory, 64, 1, 0x0016, 0x3e000001, PEER_IP, 0, 0, MY_IP);
    expect(wire.checkPacket(h.memory, 64, 28)).toBe(wire.PACKET_OK);
    h.memory.u8[64 + offset]! = 0xe1;
    expect(wire.checkPacket(h.memory, 64, 28)).toBe(problem);
    expect(wire.checkPacket(h.memory, 64, 27)).toBe(wire.PACKET_TRUNCATED);
  });
});

test('any bytes at all: no throw, and the table keeps its bounds', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 40 }), fc.boolean()), { maxLength: 60 }), (packets) => {
      const h = new Harness({ maxLearned: 4, maxWaiting: 4, maxEntries: 4, maxPending: 8 }).start();
      for (const [noise, plausible] of packets) {
        h.memory.u8.fill(0, 256, 300);
        h.memory.u8.set(noise, 256);
        if (plausible) {
          h.memory.u8.set(bytes('000108000604000100163e'), 256);
          h.memory.view.setInt32(256 + 14, PEER_IP + (noise[0] ?? 0));
          h.memory.view.setInt32(256 + 24, MY_IP);
        }
        h.enqueue(PEER_IP + (noise[1] ?? 0), 1);
        h.arp.receive(256, plausible ? 28 : noise.length, h.now);
        h.run((noise[2] ?? 0) * 50_000);
        expect(h.arp.size).toBeLessThanOrEqual(12);
        expect(h.arp.pending).toBeLessThanOrEqual(8);
      }
      h.arp.close();
      expect(h.arp.pending).toBe(0);
      expect(h.time.timers.size).toBe(0);
    }),
    { numRuns: 60 },
  );
});
