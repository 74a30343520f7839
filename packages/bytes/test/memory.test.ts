import { describe, expect, it } from 'vitest';
import { addSum, finishSum, foldSum, MAX_MEMORY_BYTES, Memory, Packet, swapSum } from '../src/index.ts';

describe('Memory', () => {
  it('rounds up to 64 KiB and is zeroed', () => {
    const memory = Memory.create({ bytes: 0x1_0001 });
    expect(memory.bytes).toBe(0x2_0000);
    expect(memory.u8.every((byte) => byte === 0)).toBe(true);
  });

  it('refuses impossible sizes', () => {
    for (const bytes of [0, -1, Number.NaN, MAX_MEMORY_BYTES + 1]) {
      expect(() => Memory.create({ bytes }), `${bytes}`).toThrow(RangeError);
    }
  });

  it('is the same memory for all who attach, with a kernel of the same kind', () => {
    for (const kernel of ['wasm', 'typescript'] as const) {
      const memory = Memory.create({ bytes: 0x1_0000, shared: true, kernel });
      const other = Memory.attach(structuredClone(memory.handle));
      other.view.setUint32(0x100, 0x0102_0304);
      expect(memory.u8[0x103]).toBe(4);
      expect(memory.kernel.sum(0x100, 4)).toBe(0x0406);
      expect(other.kernel.sum(0x100, 4)).toBe(0x0406);
      expect(other.kernel.kind).toBe(kernel);
      expect(other.shared).toBe(true);
    }
  });
});

describe('sums', () => {
  it('fold, add, swap and finish as RFC 1071 section 3 shows', () => {
    // Its example: 00 01 f2 03 f4 f5 f6 f7.
    expect(foldSum(0x2_ddf0)).toBe(0xddf2);
    expect(addSum(0x0001, 0xddf1)).toBe(0xddf2);
    expect(addSum(0xffff, 0xffff)).toBe(0xffff);
    expect(swapSum(0xddf2)).toBe(0xf2dd);
    expect(finishSum(0xddf2)).toBe(0x220d);
    expect(foldSum(0xffff_ffff)).toBe(0xffff);
  });
});

describe('Packet', () => {
  it('gets headers pulled and pushed, and padding trimmed', () => {
    const packet = new Packet();
    packet.set(1000, 60);
    packet.pull(14);
    expect([packet.addr, packet.len, packet.headLen]).toEqual([1014, 46, 46]);
    packet.trim(40);
    packet.push(14);
    expect([packet.addr, packet.len, packet.headLen]).toEqual([1000, 54, 54]);
  });

  it('is trimmed within its head, within a fragment, and at the end of one', () => {
    const cases: [bytes: number, headLen: number, fragments: number[]][] = [
      [300, 100, [100, 100]],
      [250, 100, [100, 50]],
      [200, 100, [100]],
      [150, 100, [50]],
      [100, 100, []],
      [40, 40, []],
    ];
    for (const [bytes, headLen, fragments] of cases) {
      const packet = new Packet();
      packet.set(1000, 300);
      packet.headLen = 100;
      packet.fragCount = 2;
      packet.fragLen.set([100, 100]);
      packet.trim(bytes);
      expect([packet.len, packet.headLen, ...packet.fragLen.subarray(0, packet.fragCount)]).toEqual([
        bytes,
        headLen,
        ...fragments,
      ]);
    }
  });
});
