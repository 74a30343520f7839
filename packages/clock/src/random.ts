/** Chance, injected like time, so that a run can be repeated from its seed. */
export interface Random {
  /** @returns a uniform unsigned 32-bit integer. */
  u32(): number;
  /** @returns a uniform double in [0, 1). */
  float(): number;
}
