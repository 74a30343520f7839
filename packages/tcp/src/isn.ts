/**
 * Initial sequence numbers, RFC 6528: ISN = M + F(local address, local port, remote address, remote port, secret),
 * with M a clock of 4 us and F a keyed hash. F is HalfSipHash-2-4 (Aumasson and Bernstein), which needs 32-bit
 * arithmetic only.
 */
export class IsnGenerator {
  readonly #key0: number;
  readonly #key1: number;

  /** @param key0 @param key1 the secret, two random words. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  /** @returns the ISN for a connection opened at `nowUs` (int32). */
  isn(local: number, localPort: number, remote: number, remotePort: number, nowUs: number): number {
    const clock = Math.floor(nowUs / 4) | 0;
    return (clock + this.hash(local, remote, (localPort << 16) | remotePort | 0)) | 0;
  }

  /** Keyed hash of three words (int32). Also gives the random offset of a connection's timestamps. */
  hash(a: number, b: number, c: number): number {
    return halfSipHash(this.#key0, this.#key1, a, b, c);
  }
}

function halfSipHash(k0: number, k1: number, a: number, b: number, c: number): number {
  let v0 = k0;
  let v1 = k1;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  // 12 bytes of message and the final word that carries the length; 4 rounds end it.
  for (let i = 0; i < 5; i++) {
    const word = i === 0 ? a : i === 1 ? b : i === 2 ? c : 12 << 24;
    const rounds = i === 4 ? 4 : 2;
    if (i === 4) v2 ^= 0xff;
    else v3 ^= word;
    for (let r = 0; r < rounds; r++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    if (i < 4) v0 ^= word;
  }
  return (v1 ^ v3) | 0;
}
