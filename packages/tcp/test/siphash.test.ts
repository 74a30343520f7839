import { describe, expect, it } from 'vitest';
import { sipHash24 } from '../src/siphash.ts';

const KEY = new Int32Array(Uint8Array.from({ length: 16 }, (_, i) => i).buffer);

function hash(key: Int32Array, message: Uint8Array): string {
  const out = new Uint8Array(8);
  sipHash24(key, message, out);
  return Buffer.from(out).toString('hex');
}

describe('SipHash-2-4', () => {
  it.each([
    [0, '310e0edd47db6f72'],
    [1, 'fd67dc93c539f874'],
    [7, '37d1018bf50002ab'],
    [8, '6224939a79f5f593'],
    [15, 'e545be4961ca29a1'],
    [63, '724506eb4c328a95'],
  ])("gives the authors' figure for %i bytes", (length, expected) => {
    expect(
      hash(
        KEY,
        Uint8Array.from({ length }, (_, i) => i),
      ),
    ).toBe(expected);
  });

  it('makes the Fast Open cookie that Linux makes of these addresses and this key', () => {
    const key = new Int32Array([0xa1a1a1a1, 0xb2b2b2b2, 0xc3c3c3c3, 0xd4d4d4d4]);
    const addresses = Uint8Array.of(192, 0, 2, 1, 192, 168, 0, 1);
    expect(hash(key, addresses)).toBe('3021b9d889017eeb');
    expect(hash(new Int32Array(4), addresses)).toBe('b7c12350a90dc8f5');
  });
});
