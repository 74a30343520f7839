import bufferCrc32 from 'buffer-crc32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../src/index.ts';

describe('crc32', () => {
  it('is the CRC-32 that everybody has', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf4_3926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });

  it("is buffer-crc32's for any bytes at any address, also in two steps", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(8), fc.nat(300), (content, offset, cut) => {
        const bytes = new Uint8Array(content.length + offset).subarray(offset);
        bytes.set(content);
        const expected = bufferCrc32.unsigned(Buffer.from(content));
        expect(crc32(bytes)).toBe(expected);
        const first = Math.min(cut, bytes.length);
        expect(crc32(bytes.subarray(first), crc32(bytes.subarray(0, first)))).toBe(expected);
      }),
    );
  });
});
