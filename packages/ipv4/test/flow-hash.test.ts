import { Memory } from '@qanat/bytes';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FLOW_HASH_BYTES, flowHash, flowQueue, NO_FLOW, packetFlowHash, parseAddress } from '../src/index.ts';

const memory = Memory.create({ bytes: 1 << 16, kernel: 'typescript' });
const AT = 1002;
const address = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const port = fc.integer({ min: 0, max: 0xffff });

/** Writes an IPv4 header of `words` words with both ports behind it. @returns bytes of both. */
function write(
  src: number,
  srcPort: number,
  dst: number,
  dstPort: number,
  protocol = 6,
  flags = 0x4000,
  words = 5,
): number {
  const { view } = memory;
  memory.u8.fill(0xee, AT, AT + 100);
  view.setUint8(AT, 0x40 | words);
  view.setUint16(AT + 6, flags);
  view.setUint8(AT + 9, protocol);
  view.setInt32(AT + 12, src);
  view.setInt32(AT + 16, dst);
  view.setUint16(AT + words * 4, srcPort);
  view.setUint16(AT + words * 4 + 2, dstPort);
  return words * 4 + 4;
}

describe('flowHash', () => {
  // Computed with integers of any size (Python).
  test.each<[string, number, string, number, number]>([
    ['192.168.8.101', 5001, '192.168.8.102', 40000, 1028480229],
    ['66.9.149.187', 2794, '161.142.100.80', 1766, -1281280017],
    ['10.0.0.1', 80, '10.0.0.1', 80, 1843066952],
    ['255.255.255.255', 65535, '0.0.0.0', 0, 2026578728],
    ['127.0.0.1', 1, '1.0.0.127', 65535, -1963799273],
  ])('%s:%d with %s:%d', (a, aPort, b, bPort, hash) => {
    expect(flowHash(parseAddress(a), aPort, parseAddress(b), bPort)).toBe(hash);
    expect(flowHash(parseAddress(b), bPort, parseAddress(a), aPort)).toBe(hash);
  });

  test('is the same in both directions', () => {
    fc.assert(
      fc.property(address, port, address, port, (a, aPort, b, bPort) => {
        expect(flowHash(a, aPort, b, bPort)).toBe(flowHash(b, bPort, a, aPort));
      }),
    );
  });

  test.each([2, 3, 4, 8])('spreads flows that differ in one port over %d queues', (queues) => {
    const [client, server] = [parseAddress('192.168.8.102'), parseAddress('192.168.8.101')];
    for (const first of [32768, 40000, 49152, 61000]) {
      const flows = new Array<number>(queues).fill(0);
      for (let i = 0; i < 64; i++) flows[flowQueue(flowHash(client, first + i, server, 5001), queues)]!++;
      // A fair die throws a side so rarely once in some thousand times.
      expect(Math.min(...flows)).toBeGreaterThan(64 / queues / 4);
      expect(Math.max(...flows)).toBeLessThan((64 / queues) * 2.2);
    }
  });
});

describe('packetFlowHash', () => {
  test.each([6, 17])('is that of the addresses and ports, protocol %d, with options or without', (protocol) => {
    for (const words of [5, 6, 15]) {
      const bytes = write(1, 2, 3, 4, protocol, 0x4000, words);
      expect(bytes).toBeLessThanOrEqual(FLOW_HASH_BYTES);
      expect(packetFlowHash(memory, AT, bytes)).toBe(flowHash(1, 2, 3, 4));
      expect(packetFlowHash(memory, AT, bytes - 1)).toBe(NO_FLOW);
    }
  });

  test('other protocols, fragments and nonsense have none', () => {
    const bytes = write(1, 2, 3, 4);
    expect(packetFlowHash(memory, AT, bytes)).not.toBe(NO_FLOW);
    for (const protocol of [0, 1, 2, 47, 255]) {
      expect(packetFlowHash(memory, AT, write(1, 2, 3, 4, protocol))).toBe(NO_FLOW);
    }
    for (const flags of [0x2000, 0x2001, 0x0001, 0x1fff]) {
      expect(packetFlowHash(memory, AT, write(1, 2, 3, 4, 6, flags))).toBe(NO_FLOW);
    }
    for (const first of [0x00, 0x44, 0x65, 0xf5]) {
      write(1, 2, 3, 4);
      memory.u8[AT] = first;
      expect(packetFlowHash(memory, AT, 64)).toBe(NO_FLOW);
    }
    write(1, 2, 3, 4);
    for (const short of [0, 1, 19, 23]) expect(packetFlowHash(memory, AT, short)).toBe(NO_FLOW);
  });
});

test('flowQueue: every queue has its share, and no flow is queue 0', () => {
  for (const queues of [1, 2, 3, 7, 8]) {
    expect(flowQueue(NO_FLOW, queues)).toBe(0);
    expect(flowQueue(-1, queues)).toBe(queues - 1);
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (hash) => {
        expect(flowQueue(hash, queues)).toBe(Math.floor(((hash >>> 16) / 65536) * queues));
      }),
    );
  }
});
