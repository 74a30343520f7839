/** Chance, injected like time, so that a run can be repeated from its seed. */
export interface Random {
  /** @returns a uniform unsigned 32-bit integer. */
  u32(): number;
  /** @returns a uniform double in [0, 1). */
  float(): number;
}

const TWO_TO_MINUS_32 = 2 ** -32;
const TWO_TO_MINUS_53 = 2 ** -53;

/** xoshiro128** 1.1 (Blackman, Vigna), its state filled by splitmix32 from the seed. */
class Xoshiro128 implements Random {
  readonly #state = new Uint32Array(4);

  constructor(seed: number) {
    const state = this.#state;
    // Both halves of the seed count, so that neighbouring and large seeds give unrelated streams.
    let a = seed >>> 0;
    const high = Math.floor(seed * TWO_TO_MINUS_32) >>> 0;
    for (let i = 0; i < 4; i++) {
      a = (a + 0x9e37_79b9) | 0;
      let z = a ^ Math.imul(high + i, 0x85eb_ca6b);
      z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
      state[i] = z ^ (z >>> 15);
    }
    // The all-zero state is the one that never leaves itself.
    if ((state[0]! | state[1]! | state[2]! | state[3]!) === 0) state[0] = 1;
  }

  u32(): number {
    const state = this.#state;
    const s1 = state[1]!;
    const product = Math.imul(s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const s2 = state[2]! ^ state[0]!;
    const s3 = state[3]! ^ s1;
    state[1] = s1 ^ s2;
    state[0] = state[0]! ^ s3;
    state[2] = s2 ^ (s1 << 9);
    state[3] = (s3 << 11) | (s3 >>> 21);
    return result;
  }

  float(): number {
    return ((this.u32() >>> 5) * 0x400_0000 + (this.u32() >>> 6)) * TWO_TO_MINUS_53;
  }
}

/** Numbers of the host's cryptographic generator, fetched 256 at a time. */
class SystemRandom implements Random {
  readonly #pool = new Uint32Array(256);
  #used = 256;

  u32(): number {
    if (this.#used === this.#pool.length) {
      crypto.getRandomValues(this.#pool);
      this.#used = 0;
    }
    const value = this.#pool[this.#used]!;
    this.#pool[this.#used++] = 0;
    return value;
  }

  float(): number {
    return ((this.u32() >>> 5) * 0x400_0000 + (this.u32() >>> 6)) * TWO_TO_MINUS_53;
  }
}

/**
 * Repeatable chance for simulations and tests; not for secrets.
 * @param seed any finite number; its integer part up to 2^53 counts.
 */
export function seededRandom(seed: number): Random {
  return new Xoshiro128(seed);
}

/** Unpredictable chance: initial sequence numbers, secrets, ports. */
export function systemRandom(): Random {
  return new SystemRandom();
}
