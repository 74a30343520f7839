/**
 * SipHash-2-4 (Aumasson and Bernstein) in pairs of 32-bit words, low word first: a 64-bit hash under a 128-bit key.
 * @param key 4 words: the 16 bytes of the key, read as little-endian numbers.
 * @param into gets the 8 bytes of the hash, the least first.
 */
export function sipHash24(key: Int32Array, message: Uint8Array, into: Uint8Array): void {
  const [k0l, k0h, k1l, k1h] = [key[0]!, key[1]!, key[2]!, key[3]!];
  let v0l = k0l ^ 0x70736575;
  let v0h = k0h ^ 0x736f6d65;
  let v1l = k1l ^ 0x6e646f6d;
  let v1h = k1h ^ 0x646f7261;
  let v2l = k0l ^ 0x6e657261;
  let v2h = k0h ^ 0x6c796765;
  let v3l = k1l ^ 0x79746573;
  let v3h = k1h ^ 0x74656462;
  const { length } = message;
  const words = length >>> 3;
  // The last word holds the bytes left over and the length; after it come four rounds more.
  for (let w = 0; w <= words + 1; w++) {
    let low = 0;
    let high = 0;
    if (w <= words) {
      low = wordAt(message, w * 8);
      high = wordAt(message, w * 8 + 4);
      if (w === words) high |= length << 24;
      v3l ^= low;
      v3h ^= high;
    } else {
      v2l ^= 0xff;
    }
    for (let r = w <= words ? 2 : 4; r > 0; r--) {
      let sum = (v0l + v1l) | 0;
      v0h = (v0h + v1h + carry(sum, v1l)) | 0;
      v0l = sum;
      let t = (v1l << 13) | (v1h >>> 19);
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
      v1l = t ^ v0l;
      t = v0l;
      v0l = v0h;
      v0h = t;

      sum = (v2l + v3l) | 0;
      v2h = (v2h + v3h + carry(sum, v3l)) | 0;
      v2l = sum;
      t = (v3l << 16) | (v3h >>> 16);
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
      v3l = t ^ v2l;

      sum = (v0l + v3l) | 0;
      v0h = (v0h + v3h + carry(sum, v3l)) | 0;
      v0l = sum;
      t = (v3l << 21) | (v3h >>> 11);
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
      v3l = t ^ v0l;

      sum = (v2l + v1l) | 0;
      v2h = (v2h + v1h + carry(sum, v1l)) | 0;
      v2l = sum;
      t = (v1l << 17) | (v1h >>> 15);
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
      v1l = t ^ v2l;
      t = v2l;
      v2l = v2h;
      v2h = t;
    }
    v0l ^= low;
    v0h ^= high;
  }
  putWord(into, 0, v0l ^ v1l ^ v2l ^ v3l);
  putWord(into, 4, v0h ^ v1h ^ v2h ^ v3h);
}

/** Whether the sum of two 32-bit numbers, one of which is `addend`, passed 2^32. */
function carry(sum: number, addend: number): number {
  return sum >>> 0 < addend >>> 0 ? 1 : 0;
}

/** Little-endian word at `at`; what lies past the end counts as zero. */
function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24);
}

function putWord(into: Uint8Array, at: number, word: number): void {
  for (let i = 0; i < 4; i++) into[at + i] = word >>> (8 * i);
}
