import { PAGE_SIZE, Packet, type PageAllocator } from '@qanat/bytes';

/** Ethernet, IPv4 and TCP without options: what the header page of a segment holds. */
const HEADER_BYTES = 54;
/** A frame that is all header (a pure ACK, a SYN, ARP) has one page. */
export const HEADER_ONLY_BYTES = HEADER_BYTES + 40;
/** Enough for a window of 262 KB several times over; the heap of the time had no such bound. */
const BUFFERS = 1024;

/**
 * Transmit buffers: two pages each, a header page and a payload page, because the stack of the time built a segment of
 * two pieces. The frame lies across the border of the two, so that it is contiguous for the stack, and two slots.
 */
export class TxBuffers {
  readonly packets: Packet[] = [];
  readonly #firstAddr: number;
  readonly #free: number[] = [];
  /** Requests of a buffer that are not answered. */
  readonly pending = new Uint8Array(BUFFERS);

  /** @throws Error when the domain has not that many adjoining pages. */
  constructor(pages: PageAllocator) {
    this.#firstAddr = pages.allocContiguous(2 * BUFFERS);
    if (this.#firstAddr === 0) throw new Error(`no memory for ${2 * BUFFERS} transmit pages`);
    for (let i = BUFFERS - 1; i >= 0; i--) this.#free.push(i);
    for (let i = 0; i < BUFFERS; i++) {
      const packet = new Packet();
      packet.token = i;
      this.packets.push(packet);
    }
  }

  alloc(frameBytes: number): Packet | null {
    const index = this.#free.pop();
    if (index === undefined) return null;
    const page = this.#firstAddr + index * 2 * PAGE_SIZE;
    const packet = this.packets[index]!;
    packet.set(frameBytes <= HEADER_ONLY_BYTES ? page + 2 : page + PAGE_SIZE - HEADER_BYTES, frameBytes);
    return packet;
  }

  free(index: number): void {
    this.#free.push(index);
  }

  /** Slots that the frame takes on the ring: a page each. */
  static slots(packet: Packet): 1 | 2 {
    return (packet.addr & (PAGE_SIZE - 1)) + packet.len > PAGE_SIZE ? 2 : 1;
  }
}
