import type { Memory, PageAllocator } from '@qanat/bytes';
import { ByteRing } from './byte-ring.ts';

/** What the application has written and the peer has not acknowledged: sequence numbers `una` up to `end`. */
export class SendQueue {
  readonly #ring: ByteRing;
  /** Most bytes it takes. */
  readonly limit: number;
  /** Sequence number of the first byte held (int32). */
  una = 0;
  /** Sequence number after the last byte held (int32). */
  end = 0;

  constructor(memory: Memory, pages: PageAllocator, limit: number) {
    this.#ring = new ByteRing(memory, pages, limit);
    this.limit = limit;
  }

  start(seq: number): void {
    this.una = seq;
    this.end = seq;
  }

  /** Bytes held. */
  get bytes(): number {
    return (this.end - this.una) | 0;
  }

  get free(): number {
    return this.limit - ((this.end - this.una) | 0);
  }

  /** Appends what fits of an application's array, `most` bytes at the most. @returns bytes taken; -1 when there is no memory at all. */
  write(from: Uint8Array, most = this.free): number {
    const bytes = this.#room(Math.min(from.length, most, this.free));
    if (bytes <= 0) return bytes;
    this.#ring.putArray(this.end, from, 0, bytes);
    this.end = (this.end + bytes) | 0;
    return bytes;
  }

  /** Appends what fits of `bytes` at `addr` of machine memory. @returns bytes taken; -1 when there is no memory. */
  writeFrom(addr: number, bytes: number): number {
    bytes = this.#room(Math.min(bytes, this.free));
    if (bytes <= 0) return bytes;
    this.#ring.put(this.end, addr, bytes);
    this.end = (this.end + bytes) | 0;
    return bytes;
  }

  /** @returns how many of `bytes` there is memory for; -1 when there is none for the first. */
  #room(bytes: number): number {
    if (bytes <= 0 || this.#ring.ensure(this.una, (this.end + bytes) | 0)) return Math.max(bytes, 0);
    const left = this.#ring.capacity - this.bytes;
    return left > 0 || this.bytes > 0 ? left : -1;
  }

  /** Copies `bytes` from `seq` on into a segment. */
  copy(seq: number, addr: number, bytes: number): void {
    this.#ring.get(seq, addr, bytes);
  }

  /** Copies `bytes` from `seq` on into a segment. @returns their folded sum. */
  copySum(seq: number, addr: number, bytes: number): number {
    return this.#ring.getSum(seq, addr, bytes);
  }

  /** Drops what is below `seq`. */
  acknowledge(seq: number): void {
    if (((seq - this.end) | 0) > 0) seq = this.end;
    if (((seq - this.una) | 0) > 0) this.una = seq;
  }

  /** Forgets everything and gives the pages back. */
  release(): void {
    this.una = this.end;
    this.#ring.release();
  }
}
