import { addSum, type Memory, PAGE_SIZE, type PageAllocator, swapSum } from '@qanat/bytes';
import { ByteRing } from './byte-ring.ts';
import { LentExtents } from './lent-extents.ts';
import type { TcpLending } from './network.ts';
import { ReferringPackets } from './referring-packets.ts';

const PAGE_MASK = PAGE_SIZE - 1;

/** What `pieces` found: scratch of one call. */
export const pieceAddrs = new Int32Array(32);
export const pieceBytes = new Int32Array(32);

/**
 * What the application has written and the peer has not acknowledged: sequence numbers `una` up to `end`. Bytes lie in a
 * ring of ours, or where the application has lent them; packets may refer to either, where the device can.
 */
export class SendQueue {
  readonly #memory: Memory;
  readonly #ring: ByteRing;
  /** Most bytes it takes. */
  readonly limit: number;
  /** Sequence number of the first byte held (int32). */
  una = 0;
  /** Sequence number after the last byte held (int32). */
  end = 0;
  /**
   * From here on nothing may be overwritten or given back (int32): `una`, or where the first packet begins that refers to
   * our memory and was not answered by the device.
   */
  kept = 0;
  /** Bytes that the application has lent, and that were not given back. */
  lent = 0;
  readonly #lending: TcpLending | undefined;
  #extents: LentExtents | undefined;
  #referring: ReferringPackets | undefined;
  /** What `#locate` found. */
  #runAddr = 0;
  #runBytes = 0;

  /** @param lending pages that packets may refer to, where the device has some. */
  constructor(memory: Memory, pages: PageAllocator, limit: number, lending?: TcpLending) {
    this.#memory = memory;
    this.#ring = new ByteRing(memory, pages, limit, lending);
    this.#lending = lending;
    this.limit = limit;
  }

  start(seq: number): void {
    this.una = seq;
    this.end = seq;
    this.kept = seq;
  }

  /** Bytes held. */
  get bytes(): number {
    return (this.end - this.una) | 0;
  }

  /** Bytes that take room: those held, and those that packets refer to. */
  get occupied(): number {
    return (this.end - this.kept) | 0;
  }

  get free(): number {
    return this.limit - ((this.end - this.kept) | 0);
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

  /** Appends what fits of `bytes` at `addr` of machine memory, where they lie. @returns bytes taken. */
  lend(addr: number, bytes: number): number {
    bytes = Math.min(bytes, this.free);
    if (bytes <= 0) return 0;
    this.#extents ??= new LentExtents();
    if (!this.#extents.add(this.end, addr, bytes)) return 0;
    this.end = (this.end + bytes) | 0;
    this.lent += bytes;
    return bytes;
  }

  /** @returns how many of `bytes` there is memory for; -1 when there is none for the first. */
  #room(bytes: number): number {
    if (bytes <= 0 || this.#ring.ensure(this.kept, (this.end + bytes) | 0)) return Math.max(bytes, 0);
    const left = this.#ring.capacity - this.occupied;
    if (left > 0) return left;
    return this.occupied > 0 ? 0 : -1;
  }

  /** Copies `bytes` from `seq` on into a segment. */
  copy(seq: number, addr: number, bytes: number): void {
    if (this.lent === 0) {
      this.#ring.get(seq, addr, bytes);
      return;
    }
    const { kernel } = this.#memory;
    while (bytes > 0) {
      this.#locate(seq);
      const run = Math.min(bytes, this.#runBytes);
      kernel.copy(addr, this.#runAddr, run);
      seq = (seq + run) | 0;
      addr += run;
      bytes -= run;
    }
  }

  /** Copies `bytes` from `seq` on into a segment. @returns their folded sum. */
  copySum(seq: number, addr: number, bytes: number): number {
    if (this.lent === 0) return this.#ring.getSum(seq, addr, bytes);
    const { kernel } = this.#memory;
    let sum = 0;
    let odd = 0;
    while (bytes > 0) {
      this.#locate(seq);
      const run = Math.min(bytes, this.#runBytes);
      const part = kernel.copySum(addr, this.#runAddr, run);
      sum = addSum(sum, odd ? swapSum(part) : part);
      odd ^= run & 1;
      seq = (seq + run) | 0;
      addr += run;
      bytes -= run;
    }
    return sum;
  }

  /** Finds how far what lies at `seq` goes on in a row. */
  #locate(seq: number): void {
    const extents = this.#extents;
    let bytes = (this.end - seq) | 0;
    if (extents !== undefined && extents.count > 0) {
      const index = extents.find(seq);
      if (index >= 0) {
        const into = (seq - extents.startOf(index)) | 0;
        const left = extents.lengthOf(index) - into;
        if (left > 0) {
          this.#runAddr = extents.addrOf(index) + into;
          this.#runBytes = left;
          return;
        }
      }
      if (index + 1 < extents.count) bytes = (extents.startOf(index + 1) - seq) | 0;
    }
    this.#runAddr = this.#ring.addrOf(seq);
    this.#runBytes = Math.min(bytes, this.#ring.contiguous(seq));
  }

  /**
   * Finds the pieces of pages that `bytes` from `seq` on lie in, for a packet that refers to them: `pieceAddrs` and
   * `pieceBytes`.
   * @returns how many; 0 where the device cannot read some of them, or takes fewer.
   */
  pieces(seq: number, bytes: number): number {
    const lending = this.#lending;
    if (lending === undefined || !lending.ready) return 0;
    const most = lending.maxPieces;
    let count = 0;
    while (bytes > 0) {
      this.#locate(seq);
      let addr = this.#runAddr;
      let run = Math.min(bytes, this.#runBytes);
      if (!lending.holds(addr, run)) return 0;
      seq = (seq + run) | 0;
      bytes -= run;
      while (run > 0) {
        if (count === most) return 0;
        const part = Math.min(run, PAGE_SIZE - (addr & PAGE_MASK));
        pieceAddrs[count] = addr;
        pieceBytes[count++] = part;
        addr += part;
        run -= part;
      }
    }
    return count;
  }

  /** The packet that the device was given last refers to our memory from `seq` on; it is new data. */
  referred(seq: number): void {
    const lending = this.#lending!;
    this.#referring ??= new ReferringPackets();
    this.#referring.forget(lending.done);
    this.#referring.push(lending.sent, seq);
  }

  /** Drops what is below `seq`. */
  acknowledge(seq: number): void {
    if (((seq - this.end) | 0) > 0) seq = this.end;
    if (((seq - this.una) | 0) > 0) this.una = seq;
    if (this.#referring === undefined && this.#extents === undefined) this.kept = this.una;
    else this.settle();
  }

  /** Sees what is no longer needed: acknowledged, and no packet under way refers to it. @returns whether some still is referred to. */
  settle(): boolean {
    let kept = this.una;
    const referring = this.#referring;
    if (referring !== undefined && referring.count > 0) {
      referring.forget(this.#lending!.done);
      if (referring.count > 0 && ((kept - referring.firstStart) | 0) > 0) kept = referring.firstStart;
    }
    this.kept = kept;
    if (this.lent > 0) this.lent -= this.#extents!.release(kept);
    return kept !== this.una;
  }

  /** Looks again where something acknowledged is still referred to. @returns whether it still is. */
  look(): boolean {
    this.#lending!.look();
    return this.settle();
  }

  /** Asks for `transmitReady` when the device has answered more. */
  watch(): void {
    this.#lending!.watch();
  }

  /** Forgets everything and gives the pages back; those that packets refer to the device holds until it has answered. */
  release(): void {
    this.una = this.end;
    this.settle();
    this.#ring.release();
  }
}
