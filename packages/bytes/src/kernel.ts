import { TypeScriptKernel } from './kernel-typescript.ts';
import { WasmKernel } from './kernel-wasm.ts';
import type { Memory } from './memory.ts';

export type KernelKind = 'wasm' | 'typescript';

/**
 * The bulk operations on machine memory. Sums are Internet checksums in the making (RFC 1071): the one's-complement
 * sum of the big-endian 16-bit words from `addr` on, an odd last byte padded with zero, folded to 16 bits and not
 * complemented.
 */
export interface Kernel {
  readonly kind: KernelKind;
  /** Copies `len` bytes; the areas may overlap (memmove). */
  copy(dst: number, src: number, len: number): void;
  /** Sets `len` bytes to `value`. */
  fill(addr: number, value: number, len: number): void;
  /** @returns the folded sum (0..0xffff) of `len` bytes at `addr`. */
  sum(addr: number, len: number): number;
  /** `copy` and `sum` in one pass; the areas must not overlap. @returns the folded sum of what was copied. */
  copySum(dst: number, src: number, len: number): number;
}

/** @returns the kernel of that kind over `memory`. @throws Error when WASM is asked for and refused. */
export function createKernel(kind: KernelKind, memory: KernelMemory): Kernel {
  return kind === 'wasm' ? new WasmKernel(memory) : new TypeScriptKernel(memory);
}

/** What a kernel needs of a memory (which is still under construction when its kernel is made). */
export type KernelMemory = Pick<Memory, 'u8' | 'u16' | 'wasm' | 'shared'>;
