import type { Memory } from '@qanat/bytes';
import {
  ringEntries,
  SRING_REQ_EVENT,
  SRING_REQ_PROD,
  SRING_RING,
  SRING_RSP_EVENT,
  SRING_RSP_PROD,
} from './ring-layout.ts';

/**
 * The backend's end of a ring: takes requests out, puts responses into the same slots. Indices as in `FrontRing`. The
 * frontend is hostile: check `requestOverflow()` before walking the ring.
 */
export class BackRing {
  readonly memory: Memory;
  /** Address of the (mapped) ring page. */
  readonly addr: number;
  readonly slotBytes: number;
  readonly entries: number;
  readonly #i32: Int32Array;
  readonly #reqProdIndex: number;
  readonly #reqEventIndex: number;
  readonly #rspProdIndex: number;
  readonly #rspEventIndex: number;
  readonly #slots: number;
  readonly #mask: number;
  #rspProdPvt = 0;
  #reqCons = 0;

  /** BACK_RING_INIT. @param startIndex what the frontend began with: 0 but in tests, or when attaching anew. */
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
    this.#rspProdPvt = startIndex | 0;
    this.#reqCons = startIndex | 0;
  }

  /** BACK_RING_ATTACH: takes over a ring that another backend has served, where its responses end. */
  static attach(memory: Memory, addr: number, slotBytes: number, entries = ringEntries(slotBytes)): BackRing {
    const index = Atomics.load(memory.i32, (addr + SRING_RSP_PROD) >>> 2);
    return new BackRing(memory, addr, slotBytes, entries, index);
  }

  /** Responses that are prepared. */
  get rspProdPvt(): number {
    return this.#rspProdPvt >>> 0;
  }

  set rspProdPvt(index: number) {
    this.#rspProdPvt = index | 0;
  }

  /** Requests that are consumed. */
  get reqCons(): number {
    return this.#reqCons >>> 0;
  }

  set reqCons(index: number) {
    this.#reqCons = index | 0;
  }

  /** The shared request producer, the peer's word. */
  get reqProd(): number {
    return Atomics.load(this.#i32, this.#reqProdIndex) >>> 0;
  }

  /** @returns the address of the slot of a free-running index. */
  slotAddr(index: number): number {
    return this.#slots + (index & this.#mask) * this.slotBytes;
  }

  /** RING_UNCONSUMED_REQUESTS: never more than there is room for responses. */
  unconsumedRequests(): number {
    const waiting = (Atomics.load(this.#i32, this.#reqProdIndex) - this.#reqCons) >>> 0;
    const room = this.entries - ((this.#reqCons - this.#rspProdPvt) >>> 0);
    return Math.min(waiting, room);
  }

  /** @returns the slot of the oldest unread request and counts it as consumed. Copy it out before judging it. */
  nextRequest(): number {
    const addr = this.#slots + (this.#reqCons & this.#mask) * this.slotBytes;
    this.#reqCons = (this.#reqCons + 1) | 0;
    return addr;
  }

  /** @returns the slot for the next response and counts it as prepared. */
  nextResponse(): number {
    const addr = this.#slots + (this.#rspProdPvt & this.#mask) * this.slotBytes;
    this.#rspProdPvt = (this.#rspProdPvt + 1) | 0;
    return addr;
  }

  /** RING_REQUEST_CONS_OVERFLOW: whether consuming at `cons` would run over unanswered requests. */
  requestConsOverflow(cons: number): boolean {
    return (cons - this.#rspProdPvt) >>> 0 >= this.entries;
  }

  /** RING_REQUEST_PROD_OVERFLOW: whether the peer claims more requests than the ring holds. */
  requestOverflow(): boolean {
    return (Atomics.load(this.#i32, this.#reqProdIndex) - this.#rspProdPvt) >>> 0 > this.entries;
  }

  /** Responses prepared and not yet published. */
  unpushedResponses(): number {
    return (this.#rspProdPvt - Atomics.load(this.#i32, this.#rspProdIndex)) >>> 0;
  }

  /** RING_PUSH_RESPONSES: publishes what is prepared, for a peer that polls. */
  pushResponses(): void {
    Atomics.store(this.#i32, this.#rspProdIndex, this.#rspProdPvt);
  }

  /**
   * RING_PUSH_RESPONSES_AND_CHECK_NOTIFY: publishes what is prepared.
   * @returns whether the peer asked for an event at one of the new indices: then it must be notified.
   */
  pushResponsesAndCheckNotify(): boolean {
    const i32 = this.#i32;
    const next = this.#rspProdPvt;
    const old = Atomics.load(i32, this.#rspProdIndex);
    if (old === next) return false;
    Atomics.store(i32, this.#rspProdIndex, next);
    return (next - Atomics.load(i32, this.#rspEventIndex)) >>> 0 < (next - old) >>> 0;
  }

  /**
   * RING_FINAL_CHECK_FOR_REQUESTS: asks for an event at the next request, then looks again.
   * @returns whether there are requests that can be served: then nobody may sleep on the event.
   */
  finalCheckForRequests(): boolean {
    if (this.unconsumedRequests() !== 0) return true;
    Atomics.store(this.#i32, this.#reqEventIndex, (this.#reqCons + 1) | 0);
    return this.unconsumedRequests() !== 0;
  }

  /** Asks for an event when `count` more requests have come: a backend that needs several slots for one packet. */
  armRequestEvent(count: number): void {
    Atomics.store(this.#i32, this.#reqEventIndex, (this.#reqCons + count) | 0);
  }

  /** Sleep audit: @returns why sleeping now would lose requests (unread ones, and no event to come), or undefined. */
  sleepFault(): string | undefined {
    const unread = this.unconsumedRequests();
    const event = Atomics.load(this.#i32, this.#reqEventIndex);
    if (unread === 0 || (event - this.#reqCons) >>> 0 > unread) return undefined;
    return `${unread} unread requests: req_prod ${this.reqProd}, req_event ${event >>> 0}, req_cons ${this.reqCons}`;
  }
}
