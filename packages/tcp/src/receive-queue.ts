import type { Memory, Packet, PageAllocator } from '@qanat/bytes';
import { ByteRing } from './byte-ring.ts';
import { ReceiveRanges } from './receive-ranges.ts';
import { seqGt, seqLeq } from './seq.ts';

/**
 * What the peer has sent and the application has not read. Bytes lie in place in one ring, out-of-order ones too, so a
 * hole that fills costs no copy. The whole buffer may be out of order.
 */
export class ReceiveQueue {
  readonly #ring: ByteRing;
  /** Bytes from `readSeq` that may be held: the right edge of the window never lies further. */
  readonly limit: number;
  /** Sequence number of the next byte the application reads (int32). */
  readSeq = 0;
  /** Sequence number after the last in-order byte of data (int32): RCV.NXT less a FIN. */
  nextSeq = 0;
  /** Ranges beyond `nextSeq`, ascending, apart from each other. */
  rangeCount = 0;
  #ranges: ReceiveRanges | undefined;

  /** @param slack bytes that rounding the scaled window up may add to the right edge. */
  constructor(memory: Memory, pages: PageAllocator, limit: number, slack: number) {
    this.#ring = new ByteRing(memory, pages, limit);
    this.limit = Math.max(1, Math.min(limit, this.#ring.limit - slack));
  }

  start(seq: number): void {
    this.readSeq = seq;
    this.nextSeq = seq;
  }

  /** In-order bytes that wait for the application. */
  get readable(): number {
    return (this.nextSeq - this.readSeq) | 0;
  }

  /** Bytes from `nextSeq` on that there is room for. */
  get free(): number {
    return this.limit - this.readable;
  }

  /** Makes room up to `end`, which lies within the window. @returns false when there is no memory. */
  ensure(end: number): boolean {
    return this.#ring.ensure(this.readSeq, end);
  }

  /**
   * Stores `bytes` of a packet's payload, from `offset` bytes after `packet.addr` on, at `seq`; the caller has trimmed
   * it to the window. Moves `nextSeq` over what is now in order.
   * @returns false when it would need one range too many (nothing is stored then).
   */
  insert(seq: number, packet: Packet, offset: number, bytes: number): boolean {
    const end = (seq + bytes) | 0;
    if (seqLeq(seq, this.nextSeq)) {
      this.#store(seq, packet, offset, bytes);
      if (seqGt(end, this.nextSeq)) {
        this.nextSeq = end;
        if (this.rangeCount > 0) this.#absorb(this.#ranges!);
      }
      return true;
    }
    this.#ranges ??= new ReceiveRanges();
    if (!this.#ranges.add(seq, end)) return false;
    this.rangeCount = this.#ranges.count;
    this.#store(seq, packet, offset, bytes);
    return true;
  }

  /** Puts bytes of machine memory at `seq`, ahead of `nextSeq` or there, where `ensure` made room. @returns their folded sum. */
  putSum(seq: number, addr: number, bytes: number): number {
    return this.#ring.putSum(seq, addr, bytes);
  }

  /** The bytes after `nextSeq`, which `putSum` has put there, are in order. Nothing is held out of order. */
  advance(bytes: number): void {
    this.nextSeq = (this.nextSeq + bytes) | 0;
  }

  /** Whether `[left, right)` is held out of order already, entirely. */
  holds(left: number, right: number): boolean {
    return this.rangeCount > 0 && this.#ranges!.holds(left, right);
  }

  /**
   * Picks the SACK blocks to report, the most recent first, into `left` and `right` from index `at` on.
   * @returns how many there are then, at most `most`.
   */
  sackBlocks(left: Int32Array, right: Int32Array, at: number, most: number): number {
    return this.rangeCount > 0 ? this.#ranges!.sackBlocks(left, right, at, most) : Math.min(at, most);
  }

  /** Address of the next byte to read; `peekBytes` are contiguous there. */
  get peekAddr(): number {
    return this.#ring.addrOf(this.readSeq);
  }

  get peekBytes(): number {
    const first = this.#ring.contiguous(this.readSeq);
    const readable = this.readable;
    return Math.min(readable, first);
  }

  /** Drops what was read. @throws RangeError when that is more than `readable`. */
  consume(bytes: number): void {
    if (!(bytes >= 0 && bytes <= this.readable)) {
      throw new RangeError(`consume of ${bytes} bytes: ${this.readable} are readable`);
    }
    this.readSeq = (this.readSeq + bytes) | 0;
  }

  /** Copies what there is into an application's array. @returns bytes copied and consumed. */
  read(into: Uint8Array): number {
    const bytes = Math.min(into.length, this.readable);
    if (bytes > 0) {
      this.#ring.getArray(this.readSeq, into, 0, bytes);
      this.consume(bytes);
    }
    return bytes;
  }

  /** Copies what there is, at most `bytes`, to `addr` of machine memory. @returns bytes copied and consumed. */
  readInto(addr: number, bytes: number): number {
    const readable = this.readable;
    if (bytes > readable) bytes = readable;
    if (bytes > 0) {
      this.#ring.get(this.readSeq, addr, bytes);
      this.consume(bytes);
    }
    return bytes;
  }

  /** Forgets everything and gives the pages back. */
  release(): void {
    this.readSeq = this.nextSeq;
    this.rangeCount = 0;
    this.#ranges = undefined;
    this.#ring.release();
  }

  #store(seq: number, packet: Packet, offset: number, bytes: number): void {
    const head = packet.headLen - offset;
    if (bytes <= head) {
      this.#ring.put(seq, packet.addr + offset, bytes);
      return;
    }
    this.#storeFragments(seq, packet, offset, bytes);
  }

  #storeFragments(seq: number, packet: Packet, offset: number, bytes: number): void {
    let skip = offset - packet.headLen;
    if (skip < 0) {
      this.#ring.put(seq, packet.addr + offset, -skip);
      seq = (seq - skip) | 0;
      bytes += skip;
      skip = 0;
    }
    for (let i = 0; i < packet.fragCount && bytes > 0; i++) {
      const length = packet.fragLen[i]!;
      if (skip >= length) {
        skip -= length;
        continue;
      }
      const part = Math.min(bytes, length - skip);
      this.#ring.put(seq, packet.fragAddr[i]! + skip, part);
      seq = (seq + part) | 0;
      bytes -= part;
      skip = 0;
    }
  }

  /** Moves `nextSeq` over ranges that have become in-order. */
  #absorb(ranges: ReceiveRanges): void {
    this.nextSeq = ranges.absorb(this.nextSeq);
    this.rangeCount = ranges.count;
    if (ranges.count === 0) this.#ranges = undefined;
  }
}
