import { HEADROOM, type Memory, PAGE_SHIFT, PAGE_SIZE, Packet, type PageAllocator } from '@qanat/bytes';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';

/** Where frames begin in a buffer: 2 past a multiple of 4, so that the IP header after the Ethernet one is aligned. */
const FRAME_OFFSET = HEADROOM + 2;
/** The smallest buffer; two make a page, and it takes the usual MTU of 1500. */
const MIN_BUFFER_BYTES = 2048;
/** How many pages the pool takes at a time, at least. */
const GROWTH_PAGES = 16;

const FREE = 0;
const HELD = 1;
const QUEUED = 2;

/**
 * The buffers of one link, each with the Packet that speaks for it (its `token` is the buffer's number). They belong to
 * the port that took them until they come back, whoever has them meanwhile. Pages are taken as needed, up to a limit.
 */
export class FramePool {
  readonly memory: Memory;
  /** Largest frame that a buffer takes. */
  readonly frameBytes: number;
  readonly packets: Packet[] = [];
  /** The port that took the buffer, by token. */
  readonly owner: Int32Array;
  readonly #pages: PageAllocator;
  readonly #bufferBytes: number;
  readonly #limit: number;
  readonly #base: Int32Array;
  readonly #state: Uint8Array;
  readonly #free: Int32Array;
  #freeCount = 0;
  #closed = false;
  /** What to give back to the page allocator: addresses and counts, in turns. */
  readonly #runs: number[] = [];

  /**
   * @param mtu largest IP packet in bytes. @param limit most buffers.
   * @throws Error when `pages` cannot give the first buffers.
   */
  constructor(memory: Memory, pages: PageAllocator, mtu: number, limit: number) {
    this.memory = memory;
    this.frameBytes = mtu + ETH_HEADER_BYTES;
    this.#pages = pages;
    this.#limit = limit;
    const needed = FRAME_OFFSET + this.frameBytes;
    this.#bufferBytes = needed <= MIN_BUFFER_BYTES ? MIN_BUFFER_BYTES : Math.ceil(needed / PAGE_SIZE) * PAGE_SIZE;
    this.owner = new Int32Array(limit);
    this.#base = new Int32Array(limit);
    this.#state = new Uint8Array(limit);
    this.#free = new Int32Array(limit);
    if (!this.#grow()) throw new Error('no pages left for the buffers of a link');
  }

  /** Whether `take` may find a buffer without growing. */
  get hasRoom(): boolean {
    return this.#freeCount > 0;
  }

  /** @returns a packet whose `addr` is where its frame begins, owned by `port`; null when there is no buffer left. */
  take(port: number): Packet | null {
    if (this.#closed || (this.#freeCount === 0 && !this.#grow())) return null;
    const token = this.#free[--this.#freeCount]!;
    this.#state[token] = HELD;
    this.owner[token] = port;
    const packet = this.packets[token]!;
    packet.set(this.#base[token]! + FRAME_OFFSET, 0);
    return packet;
  }

  /**
   * A packet goes from who filled it to the link.
   * @throws Error when it is not out, or when its bytes do not lie in its buffer: a mistake of the local caller.
   */
  queue(packet: Packet): void {
    this.checkHeld(packet);
    const token = packet.token;
    const offset = packet.addr - this.#base[token]!;
    if (packet.fragCount !== 0 || offset < 0 || offset + packet.len > this.#bufferBytes) {
      throw new Error(`transmit of ${packet.len} bytes outside of the packet's buffer`);
    }
    packet.headLen = packet.len;
    this.#state[token] = QUEUED;
  }

  /** @throws Error when the packet is not in the hands of who took it: a mistake of the local caller. */
  checkHeld(packet: Packet): void {
    if (this.packets[packet.token] !== packet || this.#state[packet.token] !== HELD) {
      throw new Error('a packet that is not out');
    }
  }

  /** Takes a buffer back. @throws Error when it is back already. */
  give(packet: Packet): void {
    const token = packet.token;
    if (this.packets[token] !== packet || this.#state[token] === FREE) throw new Error('release of a packet twice');
    this.#state[token] = FREE;
    this.#free[this.#freeCount++] = token;
    if (this.#closed) this.#giveBackPages();
  }

  /** Gives the pages back as soon as every buffer is home. */
  close(): void {
    this.#closed = true;
    this.#giveBackPages();
  }

  /** Adds buffers. @returns false when the limit or the end of the pages is reached. */
  #grow(): boolean {
    const count = this.packets.length;
    if (count >= this.#limit || this.#closed) return false;
    const perBuffer = this.#bufferBytes >>> PAGE_SHIFT;
    if (perBuffer === 0) {
      const perPage = PAGE_SIZE / this.#bufferBytes;
      for (let i = 0; i < GROWTH_PAGES && this.packets.length < this.#limit; i++) {
        const page = this.#pages.alloc();
        if (page === 0) break;
        this.#runs.push(page, 1);
        for (let j = 0; j < perPage && this.packets.length < this.#limit; j++) this.#add(page + j * this.#bufferBytes);
      }
    } else {
      for (let i = 0; i < GROWTH_PAGES && this.packets.length < this.#limit; i += perBuffer) {
        const run = this.#pages.allocContiguous(perBuffer);
        if (run === 0) break;
        this.#runs.push(run, perBuffer);
        this.#add(run);
      }
    }
    return this.packets.length > count;
  }

  #add(base: number): void {
    const packet = new Packet();
    packet.token = this.packets.length;
    this.#base[packet.token] = base;
    this.#free[this.#freeCount++] = packet.token;
    this.packets.push(packet);
  }

  #giveBackPages(): void {
    if (this.#freeCount < this.packets.length) return;
    for (let i = 0; i < this.#runs.length; i += 2) this.#pages.free(this.#runs[i]!, this.#runs[i + 1]!);
    this.#runs.length = 0;
  }
}
