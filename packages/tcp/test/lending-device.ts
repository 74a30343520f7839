import { type Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import type { TcpLending } from '../src/index.ts';

/** A packet under way: what it refers to, and how that was when it went. */
interface Referring {
  readonly pieces: readonly { readonly addr: number; readonly bytes: Uint8Array }[];
}

/**
 * Pages of a device in the hands of a test: packets that refer to them are answered when it says so, and then what they
 * refer to must be as it was when they went.
 */
export class LendingDevice implements TcpLending {
  ready = true;
  maxPieces = 17;
  sent = 0;
  done = 0;
  /** Somebody asked for `transmitReady`. */
  watched = false;
  /** Answers that are there, and that nobody has looked at. */
  unseen = 0;
  looks = 0;
  readonly #memory: Memory;
  readonly #pages: PageAllocator;
  readonly #addr: number;
  readonly #bytes: number;
  readonly #underWay: Referring[] = [];
  /** Pages that were given back while packets were under way: the packet after which they are free, address, count. */
  #leaving: { after: number; addr: number; count: number }[] = [];
  #pieces: { addr: number; bytes: Uint8Array }[] = [];

  constructor(memory: Memory, addr: number, bytes: number) {
    this.#memory = memory;
    this.#addr = addr;
    this.#bytes = bytes;
    this.#pages = new PageAllocator(addr, bytes);
  }

  get pagesInUse(): number {
    return this.#pages.frameCount - this.#pages.freePages;
  }

  holds(addr: number, bytes: number): boolean {
    return addr >= this.#addr && addr + bytes <= this.#addr + this.#bytes;
  }

  alloc(count: number): number {
    return this.#pages.allocContiguous(count);
  }

  free(addr: number, count: number): void {
    if (this.sent === this.done) this.#pages.free(addr, count);
    else this.#leaving.push({ after: this.sent, addr, count });
  }

  look(): void {
    this.looks++;
    this.answer(this.unseen);
    this.unseen = 0;
  }

  watch(): void {
    this.watched = true;
  }

  refer(addr: number, bytes: number): void {
    if (!this.holds(addr, bytes)) throw new Error(`a piece of ${bytes} bytes at ${addr}, which is none of the pages`);
    if ((addr & (PAGE_SIZE - 1)) + bytes > PAGE_SIZE) throw new Error(`a piece that crosses a page`);
    this.#pieces.push({ addr, bytes: this.#memory.u8.slice(addr, addr + bytes) });
    if (this.#pieces.length > this.maxPieces) throw new Error(`more than ${this.maxPieces} pieces`);
  }

  /** The packet goes. @returns its payload as far as it was referred to. */
  send(): Uint8Array {
    const pieces = this.#pieces;
    this.#pieces = [];
    if (pieces.length > 0) {
      this.#underWay.push({ pieces });
      this.sent++;
    }
    return Buffer.concat(pieces.map(({ bytes }) => bytes));
  }

  get underWay(): number {
    return this.#underWay.length;
  }

  /** Answers packets, the oldest first. @throws Error when what one refers to was changed meanwhile. */
  answer(count = this.#underWay.length): void {
    for (let i = 0; i < count && this.#underWay.length > 0; i++) {
      for (const { addr, bytes } of this.#underWay.shift()!.pieces) {
        if (Buffer.compare(this.#memory.u8.slice(addr, addr + bytes.length), bytes) !== 0) {
          throw new Error(`what packet ${this.done + 1} refers to was overwritten`);
        }
      }
      this.done++;
    }
    const free = this.#leaving.filter(({ after }) => after <= this.done);
    this.#leaving = this.#leaving.filter(({ after }) => after > this.done);
    for (const { addr, count } of free) this.#pages.free(addr, count);
  }
}
