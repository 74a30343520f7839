import { type Memory, PAGE_SIZE } from '@qanat/bytes';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import {
  type BackRing,
  NETIF_RSP_NULL,
  NETTXF_CSUM_BLANK,
  NETTXF_DATA_VALIDATED,
  NETTXF_EXTRA_INFO,
  NETTXF_MORE_DATA,
  XEN_NETIF_EXTRA_FLAG_MORE,
  XEN_NETIF_EXTRA_TYPE_GSO,
  XEN_NETIF_EXTRA_TYPE_HASH,
  XEN_NETIF_EXTRA_TYPE_NONE,
  XEN_NETIF_GSO_TYPE_TCPV4,
  XEN_NETIF_GSO_TYPE_TCPV6,
  XEN_NETIF_NR_SLOTS_MIN,
} from '@qanat/xen';
import type { Frame } from './frame.ts';

const CHAINED = NETTXF_MORE_DATA | NETTXF_EXTRA_INFO;
const CSUM_FLAGS = NETTXF_CSUM_BLANK | NETTXF_DATA_VALIDATED;
/** One extra slot of each type makes sense; more is a chain without end. */
const MAX_EXTRAS = 4;
/** Stands for the id of an extra slot. */
const EXTRA = -1;

/**
 * The backend's end of a TX ring: takes packets out, answers their slots. The frontend is hostile. Every slot is read
 * once, into locals, and judged there; what Linux's netback takes for fatal is a fault here, and ends the vif.
 *
 * Requests are answered in their order before the next packet is read, so one index serves both directions.
 */
export class TxReader {
  readonly ring: BackRing;
  /** What the frontend did wrong. Then the ring is not touched any more. */
  fault: string | undefined;
  readonly #i32: Int32Array;
  readonly #gso: boolean;
  /** Next request, as int32. */
  #cons: number;
  /** The producer as `begin` saw it. */
  #prod: number;
  /** Slots of the packet that was read last, and their ids. */
  #count = 0;
  readonly #ids = new Int32Array(XEN_NETIF_NR_SLOTS_MIN + MAX_EXTRAS);

  /** @param gso whether super-segments were offered to the frontend. */
  constructor(memory: Memory, ring: BackRing, gso: boolean) {
    this.#i32 = memory.i32;
    this.#gso = gso;
    this.ring = ring;
    this.#cons = ring.reqCons | 0;
    this.#prod = this.#cons;
  }

  /** Looks at the producer, once for a batch. @returns whether there is anything to read. */
  begin(): boolean {
    this.#prod = this.ring.reqProd | 0;
    const waiting = (this.#prod - this.#cons) >>> 0;
    if (waiting <= this.ring.entries) return waiting > 0;
    this.fault = `tx req_prod is ${waiting} ahead`;
    this.#prod = this.#cons;
    return false;
  }

  /** Whether there is more to read of what `begin` saw. */
  get hasMore(): boolean {
    return this.#prod !== this.#cons;
  }

  /**
   * Reads the next packet into `frame` (but for its `domid`). `answer` must follow.
   * @returns false when there is none, or when `fault` was set.
   */
  read(frame: Frame): boolean {
    const cons = this.#cons;
    if (cons === this.#prod) return false;
    const i32 = this.#i32;
    const slot = this.ring.slotAddr(cons) >>> 2;
    const ref = i32[slot]!;
    const word1 = i32[slot + 1]!;
    const word2 = i32[slot + 2]!;
    const offset = word1 & 0xffff;
    const flags = word1 >>> 16;
    const size = word2 >>> 16;
    frame.slots = 1;
    frame.refs[0] = ref;
    frame.offsets[0] = offset;
    frame.sizes[0] = size;
    frame.len = size;
    frame.flags = flags & CSUM_FLAGS;
    frame.gsoSize = 0;
    frame.isHashed = false;
    this.#ids[0] = word2 & 0xffff;
    this.#count = 1;
    if ((flags & CHAINED) !== 0 && !this.#readChain(frame, flags)) return false;
    if (offset + frame.sizes[0]! > PAGE_SIZE) {
      return this.#broken(`tx slot of ${frame.sizes[0]} bytes at offset ${offset}`);
    }
    if (size < ETH_HEADER_BYTES) frame.len = 0;
    return true;
  }

  /** Reads the slots after the first. */
  #readChain(frame: Frame, firstFlags: number): boolean {
    const i32 = this.#i32;
    const total = frame.len;
    const available = (this.#prod - this.#cons) >>> 0;
    let flags = firstFlags;
    let isRefused = false;
    let count = 1;
    for (let extra = (flags & NETTXF_EXTRA_INFO) !== 0; extra; ) {
      if (count > MAX_EXTRAS) return this.#broken(`more than ${MAX_EXTRAS} tx extra slots`);
      if (count === available) return this.#broken('tx packet that ends before its extra slots');
      const slot = this.ring.slotAddr(this.#cons + count) >>> 2;
      const word0 = i32[slot]!;
      const type = word0 & 0xff;
      if (type === XEN_NETIF_EXTRA_TYPE_NONE || type > XEN_NETIF_EXTRA_TYPE_HASH) {
        return this.#broken(`tx extra slot of type ${type}`);
      }
      if (type === XEN_NETIF_EXTRA_TYPE_GSO) {
        const gsoType = i32[slot + 1]! & 0xff;
        const isKnown = gsoType === XEN_NETIF_GSO_TYPE_TCPV4 || gsoType === XEN_NETIF_GSO_TYPE_TCPV6;
        if (!isKnown || word0 >>> 16 === 0) return this.#broken(`tx GSO of type ${gsoType}, size ${word0 >>> 16}`);
      }
      if (type === XEN_NETIF_EXTRA_TYPE_GSO && this.#gso && (i32[slot + 1]! & 0xff) === XEN_NETIF_GSO_TYPE_TCPV4) {
        frame.gsoSize = word0 >>> 16;
        // It has no checksum of its own (netif.h).
        frame.flags |= CSUM_FLAGS;
      } else if (type !== XEN_NETIF_EXTRA_TYPE_HASH) {
        // A hash only says what the frontend knows. The others ask for what was not offered.
        isRefused = true;
      }
      this.#ids[count++] = EXTRA;
      extra = ((word0 >>> 8) & XEN_NETIF_EXTRA_FLAG_MORE) !== 0;
    }
    let rest = 0;
    let dataSlots = 1;
    while ((flags & NETTXF_MORE_DATA) !== 0) {
      if (dataSlots++ === XEN_NETIF_NR_SLOTS_MIN) {
        return this.#broken(`tx packet of more than ${XEN_NETIF_NR_SLOTS_MIN} slots`);
      }
      if (count === available) return this.#broken('tx packet that ends before its last slot');
      const slot = this.ring.slotAddr(this.#cons + count) >>> 2;
      const ref = i32[slot]!;
      const word1 = i32[slot + 1]!;
      const word2 = i32[slot + 2]!;
      const offset = word1 & 0xffff;
      const size = word2 >>> 16;
      flags = word1 >>> 16;
      if ((flags & NETTXF_EXTRA_INFO) !== 0) return this.#broken('tx extra info that does not belong to a first slot');
      if (offset + size > PAGE_SIZE) return this.#broken(`tx slot of ${size} bytes at offset ${offset}`);
      rest += size;
      if (rest >= total) return this.#broken(`tx packet of ${total} bytes with ${rest} behind its first slot`);
      if (size > 0) {
        const piece = frame.slots++;
        frame.refs[piece] = ref;
        frame.offsets[piece] = offset;
        frame.sizes[piece] = size;
      }
      this.#ids[count++] = word2 & 0xffff;
    }
    // The first slot carries the size of the whole packet (netif.h).
    frame.sizes[0] = total - rest;
    if (isRefused) frame.len = 0;
    this.#count = count;
    return true;
  }

  #broken(fault: string): false {
    this.fault = fault;
    return false;
  }

  /** Answers the slots of the packet that was read. @param status NETIF_RSP_*. */
  answer(status: number): void {
    const i32 = this.#i32;
    for (let i = 0; i < this.#count; i++) {
      const id = this.#ids[i]!;
      const slot = this.ring.slotAddr(this.#cons) >>> 2;
      i32[slot] = id === EXTRA ? NETIF_RSP_NULL << 16 : id | (status << 16);
      this.#cons = (this.#cons + 1) | 0;
    }
  }

  /** Publishes the answers. @returns whether the frontend asked for an event. */
  push(): boolean {
    this.ring.reqCons = this.#cons;
    this.ring.rspProdPvt = this.#cons;
    return this.ring.pushResponsesAndCheckNotify();
  }

  /** Asks for an event at the next request. @returns whether it is there already. `push` comes first. */
  arm(): boolean {
    return this.ring.finalCheckForRequests();
  }

  /** Answers that are not published. */
  get unpushed(): number {
    return (this.#cons - (this.ring.rspProdPvt | 0)) >>> 0;
  }
}
