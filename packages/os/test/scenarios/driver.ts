import { BackRing, FrontRing } from '@qanat/xen';
import type { Guest } from './guest.ts';
import type { World } from './world.ts';

/** What can be wrong with a ring driver. */
export type DriverFault =
  /** S1: who waits for TX space is released by the next event instead of by the reaping; RX is drained before TX. */
  | 'waiter-on-event'
  /** S1: waits although what it needs is just there (need >= free). */
  | 'off-by-one'
  /** S2: posts new RX requests before it has drained the old ones, and not after. */
  | 'refill-before-drain'
  /** S13: stops everything while a reply from the RX callback finds no room. */
  | 'await-in-callback'
  /** S14: pushes after every wake-up, and compares the event without wrapping to 32 bits. */
  | 'wide-compare'
  /** S15: private indices are not wrapped to 32 bits. */
  | 'no-wrap'
  /** S16: arms the event and does not look again. */
  | 'no-final-check'
  /** S17: wakes one waiter however many slots were freed. */
  | 'wake-one'
  /** S21: publishes each fragment of a packet by itself, from a task of its own. */
  | 'push-per-fragment';

export const SLOTS = 8;
const SLOT_BYTES = 8;
const MORE = 1;

/** Two rings and an event channel between two domains. The ring pages lie in the frontend's memory. */
export interface Link {
  readonly txAddr: number;
  readonly rxAddr: number;
  readonly frontPort: number;
  readonly backPort: number;
  readonly startIndex: number;
}

/** Joins two guests. @param startIndex what all ring indices begin with. */
export function link(front: Guest, back: Guest, startIndex = 0): Link {
  const frontPort = front.hypercalls.evtchnAllocUnbound(back.domid);
  const backPort = back.hypercalls.evtchnBindInterdomain(front.domid, frontPort);
  return { txAddr: front.pages.alloc(), rxAddr: front.pages.alloc(), frontPort, backPort, startIndex };
}

/** A driver that ran away: it would loop for ever. */
export class Runaway extends Error {}

interface Waiter {
  readonly slots: number;
  readonly run: () => void;
}

/** The frontend of a synthetic device: sends packets of some slots, and posts buffers for what comes back. */
export class Front {
  readonly tx: FrontRing;
  readonly rx: FrontRing;
  /** Tags received. */
  readonly received: number[] = [];
  onReceive: (tag: number) => void = () => {};
  /** Packets that wait for room. */
  readonly waiters: Waiter[] = [];
  readonly #guest: Guest;
  readonly #world: World;
  readonly #port: number;
  readonly #faults: ReadonlySet<DriverFault>;
  #awaiting = false;
  /** Where the reaping is, as the fault of S15 counts it. */
  #unwrapped: number;

  constructor(
    world: World,
    guest: Guest,
    { txAddr, rxAddr, frontPort, startIndex }: Link,
    faults: readonly DriverFault[],
  ) {
    this.#guest = guest;
    this.#world = world;
    this.#port = frontPort;
    this.#faults = new Set(faults);
    this.#unwrapped = startIndex;
    this.tx = FrontRing.init(world.memory, txAddr, SLOT_BYTES, SLOTS, startIndex);
    this.rx = FrontRing.init(world.memory, rxAddr, SLOT_BYTES, SLOTS, startIndex);
    this.#refill();
    guest.bind(frontPort, () => this.event());
    guest.addAudit(() => this.#audit());
  }

  /** Sends a packet of `slots` slots, now or when there is room. */
  send(tag: number, slots = 1): void {
    const free = this.tx.freeRequests();
    const fits = this.#has('off-by-one') ? slots < free : slots <= free;
    if (!fits || this.waiters.length > 0) {
      if (this.#has('await-in-callback')) this.#awaiting = true;
      this.waiters.push({ slots, run: () => this.#put(tag, slots) });
      return;
    }
    this.#put(tag, slots);
  }

  event(): void {
    if (this.#awaiting) return;
    if (this.#has('waiter-on-event')) {
      for (const { run } of this.waiters.splice(0)) run();
      this.#drain();
      this.#refill();
      this.#reap();
      this.tx.finalCheckForResponses();
      this.rx.finalCheckForResponses();
      return;
    }
    do {
      this.#reap();
      if (this.#has('refill-before-drain')) {
        this.#refill();
        this.#drain();
      } else {
        this.#drain();
        if (this.#awaiting) return;
        this.#refill();
      }
    } while (this.#moreToDo());
  }

  #put(tag: number, slots: number): void {
    for (let i = 0; i < slots; i++) {
      const fragment = (): void => {
        const addr = this.tx.nextRequest();
        this.#world.memory.u16[(addr + 2) >>> 1] = i < slots - 1 ? MORE : 0;
        this.#world.memory.u32[(addr + 4) >>> 2] = tag;
      };
      if (!this.#has('push-per-fragment')) {
        fragment();
        continue;
      }
      const write = (): void => {
        fragment();
        this.#pushTx();
      };
      if (i === 0) write();
      else this.#guest.defer(write);
    }
    if (!this.#has('push-per-fragment')) this.#pushTx();
  }

  #reap(): void {
    const { tx } = this;
    if (this.#has('no-wrap')) {
      for (let steps = 0; this.#unwrapped !== tx.rspProd; steps++) {
        if (steps > 1000) throw new Runaway('the consumer never meets the producer');
        tx.nextResponse();
        this.#unwrapped++;
      }
    } else {
      for (let left = tx.unconsumedResponses(); left > 0; left--) tx.nextResponse();
    }
    if (this.#has('waiter-on-event')) return;
    if (this.#has('wake-one')) {
      this.#wakeFirst();
      return;
    }
    while (this.#wakeFirst()) {
      // As long as the first of them fits.
    }
  }

  #wakeFirst(): boolean {
    const first = this.waiters[0];
    if (first === undefined || first.slots > this.tx.freeRequests()) return false;
    this.waiters.shift();
    first.run();
    return true;
  }

  #drain(): void {
    while (this.rx.unconsumedResponses() > 0) {
      const tag = this.#world.memory.u32[(this.rx.nextResponse() + 4) >>> 2]!;
      this.received.push(tag);
      this.onReceive(tag);
      if (this.#awaiting) return;
    }
  }

  #refill(): void {
    while (this.rx.freeRequests() > 0) this.rx.nextRequest();
    if (this.#pushAndCheck(this.rx)) this.#kick();
  }

  #pushTx(): void {
    if (this.#pushAndCheck(this.tx)) this.#kick();
  }

  /** RING_PUSH_REQUESTS_AND_CHECK_NOTIFY, or S14's idea of it. */
  #pushAndCheck(ring: FrontRing): boolean {
    if (!this.#has('wide-compare')) return ring.pushRequestsAndCheckNotify();
    return widePush(this.#world, ring.addr, 0, ring.reqProdPvt);
  }

  #moreToDo(): boolean {
    if (this.#has('wide-compare')) {
      this.#pushTx();
      this.#refill();
    }
    if (this.#has('no-final-check')) {
      armWithoutLooking(this.#world, this.tx.addr + 12, this.tx.rspCons);
      armWithoutLooking(this.#world, this.rx.addr + 12, this.rx.rspCons);
      return false;
    }
    const tx = this.tx.finalCheckForResponses();
    return this.rx.finalCheckForResponses() || tx;
  }

  #kick(): void {
    this.#guest.hypercalls.evtchnSend(this.#port);
  }

  #audit(): string | undefined {
    const first = this.waiters[0];
    if (first !== undefined && first.slots <= this.tx.freeRequests()) {
      return `a packet of ${first.slots} slots waits, and ${this.tx.freeRequests()} are free`;
    }
    return this.tx.sleepFault() ?? this.rx.sleepFault();
  }

  #has(fault: DriverFault): boolean {
    return this.#faults.has(fault);
  }
}

/** The backend: answers every packet, and sends messages into posted buffers. */
export class Back {
  readonly tx: BackRing;
  readonly rx: BackRing;
  /** Tags of whole packets received. */
  readonly packets: number[] = [];
  /** Packets whose last slot was not there. */
  torn = 0;
  /** Messages that wait for a buffer. */
  readonly outgoing: number[] = [];
  onPacket: (tag: number) => void = () => {};
  readonly #guest: Guest;
  readonly #world: World;
  readonly #port: number;
  readonly #faults: ReadonlySet<DriverFault>;

  constructor(
    world: World,
    guest: Guest,
    { txAddr, rxAddr, backPort, startIndex }: Link,
    faults: readonly DriverFault[],
  ) {
    this.#guest = guest;
    this.#world = world;
    this.#port = backPort;
    this.#faults = new Set(faults);
    this.tx = new BackRing(world.memory, txAddr, SLOT_BYTES, SLOTS, startIndex);
    this.rx = new BackRing(world.memory, rxAddr, SLOT_BYTES, SLOTS, startIndex);
    guest.bind(backPort, () => this.event());
    guest.addAudit(() => this.tx.sleepFault() ?? (this.outgoing.length > 0 ? this.rx.sleepFault() : undefined));
  }

  /** Sends a message, now or when there is a buffer. */
  send(tag: number): void {
    this.outgoing.push(tag);
    this.#deliver();
  }

  event(): void {
    do {
      this.#answer();
      this.#deliver();
    } while (this.#moreToDo());
  }

  #answer(): void {
    const { memory } = this.#world;
    while (this.tx.unconsumedRequests() > 0) {
      for (;;) {
        if (this.tx.unconsumedRequests() === 0) {
          this.torn++;
          break;
        }
        const addr = this.tx.nextRequest();
        const flags = memory.u16[(addr + 2) >>> 1]!;
        const tag = memory.u32[(addr + 4) >>> 2]!;
        this.tx.nextResponse();
        if ((flags & MORE) !== 0) continue;
        this.packets.push(tag);
        this.onPacket(tag);
        break;
      }
    }
    if (this.#pushAndCheck(this.tx)) this.#kick();
  }

  #deliver(): void {
    while (this.outgoing.length > 0 && this.rx.unconsumedRequests() > 0) {
      this.rx.nextRequest();
      this.#world.memory.u32[(this.rx.nextResponse() + 4) >>> 2] = this.outgoing.shift()!;
    }
    if (this.#pushAndCheck(this.rx)) this.#kick();
  }

  #pushAndCheck(ring: BackRing): boolean {
    if (!this.#has('wide-compare')) return ring.pushResponsesAndCheckNotify();
    return widePush(this.#world, ring.addr, 8, ring.rspProdPvt);
  }

  #moreToDo(): boolean {
    if (this.#has('no-final-check')) {
      armWithoutLooking(this.#world, this.tx.addr + 4, this.tx.reqCons);
      armWithoutLooking(this.#world, this.rx.addr + 4, this.rx.reqCons);
      return false;
    }
    const tx = this.tx.finalCheckForRequests();
    // Buffers that nobody needs are no work.
    return (this.outgoing.length > 0 && this.rx.finalCheckForRequests()) || tx;
  }

  #kick(): void {
    this.#guest.hypercalls.evtchnSend(this.#port);
  }

  #has(fault: DriverFault): boolean {
    return this.#faults.has(fault);
  }
}

/** A push whose indices are wider than 32 bits: with nothing new and an idle peer it says "notify". */
function widePush(world: World, addr: number, prodOffset: number, next: number): boolean {
  const { u32 } = world.memory;
  const old = u32[(addr + prodOffset) >>> 2]!;
  u32[(addr + prodOffset) >>> 2] = next;
  const event = u32[(addr + prodOffset + 4) >>> 2]!;
  return next - event < next - old;
}

function armWithoutLooking(world: World, eventAddr: number, cons: number): void {
  Atomics.store(world.memory.i32, eventAddr >>> 2, (cons + 1) | 0);
}
