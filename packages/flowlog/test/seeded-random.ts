/** Seeded chance for tests (a 32-bit xorshift). @returns integers in 0..below-1. */
export function seededRandom(seed: number): (below: number) => number {
  let state = (seed ^ 0x9e37_79b9) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}
