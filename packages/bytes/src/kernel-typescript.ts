import type { Kernel, KernelMemory } from './kernel.ts';

/** The plain twin of the WASM kernel, for places that forbid WASM. Slow and simple: it is the reference. */
export class TypeScriptKernel implements Kernel {
  readonly kind = 'typescript';
  readonly #u8: Uint8Array;

  constructor(memory: KernelMemory) {
    this.#u8 = memory.u8;
  }

  copy(dst: number, src: number, len: number): void {
    this.#u8.copyWithin(dst, src, src + len);
  }

  fill(addr: number, value: number, len: number): void {
    this.#u8.fill(value, addr, addr + len);
  }

  sum(addr: number, len: number): number {
    const u8 = this.#u8;
    let sum = 0;
    const even = addr + (len & ~1);
    for (let i = addr; i < even; i += 2) {
      sum += (u8[i]! << 8) | u8[i + 1]!;
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    if (len & 1) sum += u8[even]! << 8;
    sum = (sum & 0xffff) + (sum >>> 16);
    return sum;
  }

  copySum(dst: number, src: number, len: number): number {
    this.copy(dst, src, len);
    return this.sum(dst, len);
  }
}
