import type { Memory } from '@qanat/bytes';
import {
  ringEntries,
  SRING_PAGE_BYTES,
  SRING_REQ_EVENT,
  SRING_REQ_PROD,
  SRING_RING,
  SRING_RSP_EVENT,
  SRING_RSP_PROD,
} from './ring-layout.ts';

/**
 * The frontend's end of a ring: puts requests in, takes responses out. All indices are free-running u32 and the
 * arithmetic is modulo 2^32. Private indices are kept as int32, which V8 does not box, and shown as u32; adding to
 * them through the properties wraps.
 */
export class FrontRing {
  readonly memory: Memory;
  /** Address of the ring page. */
  readonly addr: number;
  readonly slotBytes: number;
  /** Slots, a power of two. */
  readonly entries: number;
  readonly #i32: Int32Array;
  readonly #reqProdIndex: number;
  readonly #reqEventIndex: number;
  readonly #rspProdIndex: number;
  readonly #rspEventIndex: number;
  readonly #slots: number;
  readonly #mask: number;
  #reqProdPvt = 0;
  #rspCons = 0;

  /** Takes a page that `FrontRing.init` has made. @param startIndex what all its indices were set to. */
  constructor(memory: Memory, addr: number, slotBytes: number, entries = ringEntries(slotBytes), startIndex = 0) {
    this.memory = memory;
    this.addr = addr;
    this.slotBytes = slotBytes;
    this.entries = entries;
    this.#i32 = memory.i32;
    this.#reqProdIndex = (addr + SRING_REQ_PROD) >>> 2;
    this.#reqEventIndex = (addr + SRING_REQ_EVENT) >>> 2;
    this.#rspProdIndex = (addr + SRING_RSP_PROD) >>> 2;
    this.#rspEventIndex = (addr + SRING_RSP_EVENT) >>> 2;
    this.#slots = addr + SRING_RING;
    this.#mask = entries - 1;
    this.#reqProdPvt = startIndex | 0;
    this.#rspCons = startIndex | 0;
  }

  /**
   * SHARED_RING_INIT and FRONT_RING_INIT: clears the page and sets both producers to `startIndex` (0; others for
   * tests) and both events one further. Only a frontend does this.
   */
  static init(
    memory: Memory,
    addr: number,
    slotBytes: number,
    entries = ringEntries(slotBytes),
    startIndex = 0,
  ): FrontRing {
    memory.kernel.fill(addr, 0, SRING_PAGE_BYTES);
    const { i32 } = memory;
    Atomics.store(i32, (addr + SRING_REQ_PROD) >>> 2, startIndex | 0);
    Atomics.store(i32, (addr + SRING_RSP_PROD) >>> 2, startIndex | 0);
    Atomics.store(i32, (addr + SRING_REQ_EVENT) >>> 2, (startIndex + 1) | 0);
    Atomics.store(i32, (addr + SRING_RSP_EVENT) >>> 2, (startIndex + 1) | 0);
    return new FrontRing(memory, addr, slotBytes, entries, startIndex);
  }

  /** Requests that are prepared; those beyond the shared req_prod are not yet published. */
  get reqProdPvt(): number {
    return this.#reqProdPvt >>> 0;
  }

  set reqProdPvt(index: number) {
    this.#reqProdPvt = index | 0;
  }

  /** Responses that are consumed. */
  get rspCons(): number {
    return this.#rspCons >>> 0;
  }

  set rspCons(index: number) {
    this.#rspCons = index | 0;
  }

  /** The shared response producer, the peer's word. */
  get rspProd(): number {
    return Atomics.load(this.#i32, this.#rspProdIndex) >>> 0;
  }

  /** @returns the address of the slot of a free-running index. */
  slotAddr(index: number): number {
    return this.#slots + (index & this.#mask) * this.slotBytes;
  }

  /** RING_FREE_REQUESTS: slots that no request or unread response occupies. */
  freeRequests(): number {
    return this.entries - ((this.#reqProdPvt - this.#rspCons) >>> 0);
  }

  /** @returns the slot for the next request and counts it as prepared. The caller has checked `freeRequests()`. */
  nextRequest(): number {
    const addr = this.#slots + (this.#reqProdPvt & this.#mask) * this.slotBytes;
    this.#reqProdPvt = (this.#reqProdPvt + 1) | 0;
    return addr;
  }

  /** @returns the slot of the oldest unread response and counts it as consumed. Copy it out before judging it. */
  nextResponse(): number {
    const addr = this.#slots + (this.#rspCons & this.#mask) * this.slotBytes;
    this.#rspCons = (this.#rspCons + 1) | 0;
    return addr;
  }

  /** RING_UNCONSUMED_RESPONSES, as the peer says: check `responseOverflow()` once before believing it. */
  unconsumedResponses(): number {
    return (Atomics.load(this.#i32, this.#rspProdIndex) - this.#rspCons) >>> 0;
  }

  /**
   * RING_RESPONSE_PROD_OVERFLOW, the strict form: whether the peer claims more responses than there are published
   * requests to answer.
   */
  responseOverflow(): boolean {
    const claimed = (Atomics.load(this.#i32, this.#rspProdIndex) - this.#rspCons) >>> 0;
    return claimed > (this.#reqProdPvt - this.#rspCons) >>> 0;
  }

  /** Requests prepared and not yet published. */
  unpushedRequests(): number {
    return (this.#reqProdPvt - Atomics.load(this.#i32, this.#reqProdIndex)) >>> 0;
  }

  /** RING_PUSH_REQUESTS: publishes what is prepared, for a peer that polls. */
  pushRequests(): void {
    Atomics.store(this.#i32, this.#reqProdIndex, this.#reqProdPvt);
  }

  /**
   * RING_PUSH_REQUESTS_AND_CHECK_NOTIFY: publishes what is prepared.
   * @returns whether the peer asked for an event at one of the new indices: then it must be notified.
   */
  pushRequestsAndCheckNotify(): boolean {
    const i32 = this.#i32;
    const next = this.#reqProdPvt;
    const old = Atomics.load(i32, this.#reqProdIndex);
    if (old === next) return false;
    Atomics.store(i32, this.#reqProdIndex, next);
    return (next - Atomics.load(i32, this.#reqEventIndex)) >>> 0 < (next - old) >>> 0;
  }

  /**
   * RING_FINAL_CHECK_FOR_RESPONSES: asks for an event at the next response, then looks again.
   * @returns whether there are responses: then nobody may sleep on the event.
   */
  finalCheckForResponses(): boolean {
    const i32 = this.#i32;
    if (Atomics.load(i32, this.#rspProdIndex) !== this.#rspCons) return true;
    Atomics.store(i32, this.#rspEventIndex, (this.#rspCons + 1) | 0);
    return Atomics.load(i32, this.#rspProdIndex) !== this.#rspCons;
  }

  /** Asks for an event when `count` responses have come (batching); `finalCheckForResponses` asks for one. */
  armResponseEvent(count: number): void {
    Atomics.store(this.#i32, this.#rspEventIndex, (this.#rspCons + count) | 0);
  }

  /** Sleep audit: @returns why sleeping now would lose responses (unread ones, and no event to come), or undefined. */
  sleepFault(): string | undefined {
    const prod = Atomics.load(this.#i32, this.#rspProdIndex);
    const event = Atomics.load(this.#i32, this.#rspEventIndex);
    const unread = (prod - this.#rspCons) >>> 0;
    if (unread === 0 || (event - this.#rspCons) >>> 0 > unread) return undefined;
    return `${unread} unread responses: rsp_prod ${prod >>> 0}, rsp_event ${event >>> 0}, rsp_cons ${this.rspCons}`;
  }
}
