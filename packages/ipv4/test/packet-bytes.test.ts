import { Memory, Packet } from '@qanat/bytes';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { copyFromPacket, sumPacket } from '../src/index.ts';

const memory = Memory.create({ bytes: 1 << 16, kernel: 'typescript' });

test('a scattered packet sums and copies like one in one piece', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 18 });
  fc.assert(
    fc.property(pieces, fc.nat(), fc.nat(), (parts, a, b) => {
      const packet = new Packet();
      const whole = Uint8Array.from(parts.flatMap((p) => [...p]));
      packet.set(1001, whole.length);
      packet.headLen = parts[0]!.length;
      packet.fragCount = parts.length - 1;
      parts.forEach((part, i) => {
        const addr = 1001 + i * 101;
        memory.u8.set(part, addr);
        if (i > 0) [packet.fragAddr[i - 1], packet.fragLen[i - 1]] = [addr, part.length];
      });
      const from = a % (whole.length + 1);
      const bytes = b % (whole.length - from + 1);
      memory.u8.fill(0xee, 20000, 21000);
      copyFromPacket(memory, packet, from, 20000, bytes);
      expect(memory.u8.slice(20000, 20000 + bytes)).toEqual(whole.slice(from, from + bytes));
      expect(memory.u8[20000 + bytes]).toBe(0xee);
      memory.u8.set(whole, 30000);
      expect(sumPacket(memory, packet)).toBe(memory.kernel.sum(30000, whole.length));
    }),
  );
});
