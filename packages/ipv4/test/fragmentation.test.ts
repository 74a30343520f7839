import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as ipv4 from '../src/index.ts';
import { Bench, DST, SRC } from './fragments.ts';

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset);

describe('cutting', () => {
  test('4000 bytes at an MTU of 1500 are 1480 + 1480 + 1020', () => {
    const { fragments } = new Bench().split(new Uint8Array(3980), 1500);
    expect(fragments.map((f) => f.length)).toEqual([1500, 1500, 1040]);
    expect(fragments.map((f) => view(f).getUint16(6))).toEqual([0x2000, 0x2000 | 185, 370]);
  });

  test('what fits stays whole, DF forbids, and an MTU below a header and 8 bytes is impossible', () => {
    const { memory } = new Bench();
    ipv4.writeHeader(memory, 64, 1500, 1, 0, 64, 17, SRC, DST, 0);
    expect(ipv4.fragmentCount(memory, 64, 1500)).toBe(1);
    expect(ipv4.fragmentCount(memory, 64, 1499)).toBe(2);
    expect(ipv4.fragmentCount(memory, 64, 27)).toBe(0);
    ipv4.writeHeader(memory, 64, 1500, 1, ipv4.FLAG_DF, 64, 17, SRC, DST, 0);
    expect(ipv4.fragmentCount(memory, 64, 1499)).toBe(0);
  });

  test('only copied options go into later fragments', () => {
    // NOP, record route (7, not copied), stream id (0x88, copied), end.
    const options = Uint8Array.from([1, 7, 7, 4, 0, 0, 0, 0, 0x88, 4, 0xab, 0xcd]);
    const { fragments } = new Bench().split(new Uint8Array(100), 68, { options });
    expect(fragments.length).toBe(4);
    expect([...fragments[0]!.subarray(20, 32)]).toEqual([...options]);
    for (const later of fragments.slice(1)) {
      expect(later[0]).toBe(0x46);
      expect([...later.subarray(20, 24)]).toEqual([0x88, 4, 0xab, 0xcd]);
    }
  });

  test('options that make no sense do not break the cutting', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), (options) => {
        const bench = new Bench();
        const { fragments, whole } = bench.split(new Uint8Array(100), 76, { options });
        for (const f of fragments) {
          bench.memory.u8.set(f, 64);
          expect(ipv4.checkHeader(bench.memory, 64, f.length, f.length)).toBe(ipv4.HEADER_OK);
        }
        expect(fragments.reduce((n, f) => n + f.length - ((f[0]! & 15) << 2), 0)).toBe(whole.length - 60);
      }),
      { numRuns: 30 },
    );
  });

  test('a fragment can be cut again, and all is put together in the end', () => {
    const bench = new Bench();
    const payload = Uint8Array.from({ length: 3000 }, (_, i) => i * 7);
    const { whole, fragments } = bench.split(payload, 1500);
    const pieces: Uint8Array[] = [];
    for (const f of fragments) {
      bench.memory.u8.set(f, 64);
      for (let i = 0; i < ipv4.fragmentCount(bench.memory, 64, 576); i++) {
        const bytes = ipv4.writeFragment(bench.memory, 64, 576, i, 8192);
        pieces.push(bench.memory.u8.slice(8192, 8192 + bytes));
      }
    }
    const results = pieces.map((piece) => bench.receive(piece));
    expect(results.at(-1)).toEqual(whole);
  });
});
