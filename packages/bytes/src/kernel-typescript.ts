import { swapSum } from './checksum.ts';
import type { Kernel, KernelMemory } from './kernel.ts';

/** 0x8000 words of 16 bits make a sum below 2^31, which V8 keeps in a register. */
const BLOCK_WORDS = 0x8000;

/** The plain twin of the WASM kernel, for places that forbid WASM; tests hold the two equal. */
export class TypeScriptKernel implements Kernel {
  readonly kind = 'typescript';
  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;

  constructor(memory: KernelMemory) {
    this.#u8 = memory.u8;
    this.#u16 = memory.u16;
  }

  copy(dst: number, src: number, len: number): void {
    this.#u8.copyWithin(dst, src, src + len);
  }

  fill(addr: number, value: number, len: number): void {
    this.#u8.fill(value, addr, addr + len);
  }

  sum(addr: number, len: number): number {
    if (len === 0) return 0;
    if ((addr & 1) === 0) return this.#sumAligned(addr, len);
    // The bytes after the first are as if they began at an odd offset (RFC 1071 section 2(B)).
    const sum = (this.#u8[addr]! << 8) + swapSum(this.#sumAligned(addr + 1, len - 1));
    return (sum & 0xffff) + (sum >>> 16);
  }

  copySum(dst: number, src: number, len: number): number {
    this.copy(dst, src, len);
    return this.sum(dst, len);
  }

  /** Sums native (little-endian) words, and swaps the bytes of the result. */
  #sumAligned(addr: number, len: number): number {
    const u16 = this.#u16;
    const end = (addr + len) >>> 1;
    let sum = (len & 1) === 1 ? this.#u8[addr + len - 1]! : 0;
    for (let i = addr >>> 1; i < end; ) {
      const blockEnd = Math.min(end, i + BLOCK_WORDS);
      let block = 0;
      for (; i + 8 <= blockEnd; i += 8) {
        block += u16[i]! + u16[i + 1]! + u16[i + 2]! + u16[i + 3]!;
        block += u16[i + 4]! + u16[i + 5]! + u16[i + 6]! + u16[i + 7]!;
      }
      for (; i < blockEnd; i++) block += u16[i]!;
      sum += (block & 0xffff) + (block >>> 16);
      sum = (sum & 0xffff) + (sum >>> 16);
    }
    sum = (sum & 0xffff) + (sum >>> 16);
    return swapSum(sum);
  }
}
