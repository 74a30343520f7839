import { Timer } from '@qanat/clock';
import type { Kernel } from '@qanat/os';
import { FrontRing, NETIF_RX_SLOT_BYTES, NETIF_TX_SLOT_BYTES, NETTXF_MORE_DATA, XenbusState } from '@qanat/xen';
import { testFrame, testMac } from './machine.ts';

/** The mistakes of the drivers of 2013 (and some of today), one by one. Without any, it is a simple, right frontend. */
export interface Faults {
  /** S1: waiters for room are woken by the event, before the responses are reaped, and RX runs before that. */
  readonly wakeOnEvent?: boolean;
  /** S2: pages are posted before the ring is drained, and not after. */
  readonly refillFirst?: boolean;
  /** S13: a callback that finds the TX ring full holds up the whole driver until there is room. */
  readonly callbackWaits?: boolean;
  /** S16: arms the event and sleeps without a second look. */
  readonly noFinalCheck?: boolean;
  /** S17: wakes one waiter for each event. */
  readonly wakeOne?: boolean;
  /** S18: sends as soon as it has written state 4. */
  readonly sendsEarly?: boolean;
  /** S20: grants RX pages anew for every packet, and sleeps 10 s when the backend still uses the old grant. */
  readonly regrants?: boolean;
  /** S21: publishes each slot by itself. */
  readonly publishesSlots?: boolean;
}

interface Waiter {
  readonly need: number;
  readonly wake: () => void;
}

const ENTRIES = 256;

/** A frontend for tests, which can be made to have the faults of others. One page per slot on both rings. */
export class LooseFrontend {
  readonly kernel: Kernel;
  readonly path = 'device/vif/0';
  received = 0;
  /** Called for each frame; false: it wants to send and has no room (S13). */
  onFrame: (() => boolean) | undefined;
  connected = false;
  /** The test writes to the rings; the driver keeps its hands off. */
  isPuppet = false;
  readonly #faults: Faults;
  readonly #tx: FrontRing;
  readonly #rx: FrontRing;
  readonly #txRingAddr: number;
  readonly #rxRingAddr: number;
  readonly #txAddrs: number[] = [];
  readonly #txRefs: number[] = [];
  readonly #rxAddrs: number[] = [];
  readonly #rxRefs: number[] = [];
  readonly #freeIds: number[] = [];
  readonly #waiters: Waiter[] = [];
  #port = 0;
  #isQueued = false;
  /** S13, S20: the driver is held up. */
  #isHeld = false;

  constructor(kernel: Kernel, faults: Faults = {}) {
    this.kernel = kernel;
    this.#faults = faults;
    const { memory, pages, grants } = kernel;
    this.#txRingAddr = pages.alloc();
    this.#rxRingAddr = pages.alloc();
    this.#tx = FrontRing.init(memory, this.#txRingAddr, NETIF_TX_SLOT_BYTES);
    this.#rx = FrontRing.init(memory, this.#rxRingAddr, NETIF_RX_SLOT_BYTES);
    for (let id = 0; id < ENTRIES; id++) {
      this.#txAddrs.push(pages.alloc());
      this.#txRefs.push(grants.grantAccess(0, this.#txAddrs[id]!, true));
      this.#rxAddrs.push(pages.alloc());
      this.#rxRefs.push(grants.grantAccess(0, this.#rxAddrs[id]!, false));
      this.#freeIds.push(id);
    }
    kernel.loop.addAudit('loose frontend', () => this.#sleepFault());
  }

  /** Grant references of the pages, by slot; and the rings: for tests that write what they should not. */
  get rxRefs(): readonly number[] {
    return this.#rxRefs;
  }

  get txRefs(): readonly number[] {
    return this.#txRefs;
  }

  get txAddrs(): readonly number[] {
    return this.#txAddrs;
  }

  get txRing(): FrontRing {
    return this.#tx;
  }

  get rxRing(): FrontRing {
    return this.#rx;
  }

  /** An event for the backend, asked for or not. */
  kick(): void {
    this.kernel.hypercalls.evtchnSend(this.#port);
  }

  start(onConnected: () => void): void {
    const { xenstore, grants, hypercalls, activations } = this.kernel;
    const connect = (): void => {
      this.#refill();
      this.#port = hypercalls.evtchnAllocUnbound(0);
      activations.bind(this.#port, () => this.#onEvent());
      xenstore.transaction(
        (tx) =>
          tx.writeAll(this.path, {
            'tx-ring-ref': grants.grantAccess(0, this.#txRingAddr, false),
            'rx-ring-ref': grants.grantAccess(0, this.#rxRingAddr, false),
            'event-channel': this.#port,
            'request-rx-copy': 1,
            'feature-rx-notify': 1,
            'feature-sg': 1,
          }),
        () => {
          xenstore.write(`${this.path}/state`, `${XenbusState.Connected}`);
          if (this.#faults.sendsEarly === true) onConnected();
        },
      );
    };
    const up = (): void => {
      this.connected = true;
      if (this.#faults.sendsEarly !== true) onConnected();
    };
    xenstore.waitFor(
      `${this.path}/backend`,
      (backend) => backend !== undefined,
      (_error, backend) => {
        xenstore.waitFor(
          `${backend}/state`,
          (state) => state === '2',
          () => connect(),
        );
        xenstore.waitFor(
          `${backend}/state`,
          (state) => state === '4',
          () => up(),
        );
      },
    );
  }

  get freeSlots(): number {
    return this.#tx.freeRequests();
  }

  /** Sends a frame in one slot, or as header and payload in two. @returns false when there is no room. */
  send(to: Uint8Array, bytes: number, seed: number, slots: 1 | 2 = 1): boolean {
    if (this.freeSlots < slots) return false;
    const frame = testFrame(to, testMac(this.kernel.domid), bytes, seed);
    if (slots === 1) this.#slot(frame, bytes, 0);
    else {
      this.#slot(frame.subarray(0, 54), bytes, NETTXF_MORE_DATA);
      if (this.#faults.publishesSlots === true) {
        this.flush();
        // Another task writes the payload, later.
        this.kernel.loop.defer(() => {
          this.#slot(frame.subarray(54), bytes - 54, 0);
          this.flush();
        });
        return true;
      }
      this.#slot(frame.subarray(54), bytes - 54, 0);
    }
    return true;
  }

  #slot(data: Uint8Array, size: number, flags: number): void {
    const { memory } = this.kernel;
    const id = this.#freeIds.pop()!;
    memory.u8.set(data, this.#txAddrs[id]!);
    const slot = this.#tx.nextRequest() >>> 2;
    memory.u32[slot] = this.#txRefs[id]!;
    memory.u32[slot + 1] = flags << 16;
    memory.u32[slot + 2] = id | (size << 16);
  }

  flush(): void {
    if (this.#tx.pushRequestsAndCheckNotify()) this.kernel.hypercalls.evtchnSend(this.#port);
  }

  /** Calls `wake` when `need` slots are free. */
  waitForSpace(need: number, wake: () => void): void {
    this.#waiters.push({ need, wake });
  }

  #onEvent(): void {
    this.#isQueued = false;
    if (this.#isHeld || this.isPuppet) return;
    const faults = this.#faults;
    if (faults.wakeOnEvent === true) {
      this.#wake(Number.POSITIVE_INFINITY);
      this.#drain();
      this.#reap();
      this.#refill();
    } else if (faults.refillFirst === true) {
      this.#refill();
      this.#reap();
      this.#wake(Number.POSITIVE_INFINITY);
      this.#drain();
    } else {
      this.#reap();
      this.#wake(faults.wakeOne === true ? 1 : Number.POSITIVE_INFINITY);
      this.#drain();
      this.#refill();
    }
    this.flush();
    const { memory } = this.kernel;
    if (faults.noFinalCheck === true) {
      for (const ring of [this.#tx, this.#rx]) {
        if (ring.unconsumedResponses() > 0) this.#again();
        Atomics.store(memory.i32, (ring.addr + 12) >>> 2, (ring.rspCons + 1) | 0);
      }
      return;
    }
    const tx = this.#tx.finalCheckForResponses();
    const rx = this.#rx.finalCheckForResponses();
    if ((tx || rx) && !this.#isHeld) this.#again();
  }

  #again(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.kernel.loop.defer(() => this.#onEvent());
  }

  #wake(limit: number): void {
    for (let n = Math.min(limit, this.#waiters.length); n > 0; n--) {
      if (this.#waiters.length === 0 || this.#waiters[0]!.need > this.freeSlots) return;
      this.#waiters.shift()!.wake();
    }
  }

  #reap(): void {
    const { memory } = this.kernel;
    for (let n = this.#tx.unconsumedResponses(); n > 0; n--) {
      this.#freeIds.push(memory.u16[this.#tx.nextResponse() >>> 1]!);
    }
  }

  #drain(): void {
    const { grants, loop, clock } = this.kernel;
    for (let n = this.#rx.unconsumedResponses(); n > 0; n--) {
      const id = this.#rx.rspCons & (ENTRIES - 1);
      if (this.#faults.regrants === true && !grants.endAccess(this.#rxRefs[id]!)) {
        this.#isHeld = true;
        const sleep = new Timer(() => {
          this.#isHeld = false;
          this.#onEvent();
        });
        loop.timers.arm(sleep, clock.now() + 10e6);
        return;
      }
      if (this.#faults.regrants === true) this.#rxRefs[id] = grants.grantAccess(0, this.#rxAddrs[id]!, false);
      this.#rx.nextResponse();
      this.received++;
      if (this.onFrame !== undefined && !this.onFrame() && this.#faults.callbackWaits === true) {
        // "await Netif.write": goes on when somebody reaps. Nobody does: this was the one who does.
        this.#isHeld = true;
        return;
      }
    }
  }

  #refill(): void {
    const { memory, hypercalls } = this.kernel;
    while (this.#rx.freeRequests() > 0) {
      const id = this.#rx.reqProdPvt & (ENTRIES - 1);
      const slot = this.#rx.nextRequest() >>> 2;
      memory.u32[slot] = id;
      memory.u32[slot + 1] = this.#rxRefs[id]!;
    }
    if (this.#rx.pushRequestsAndCheckNotify() && this.#port > 0) hypercalls.evtchnSend(this.#port);
  }

  #sleepFault(): string | undefined {
    if (!this.connected || this.isPuppet) return undefined;
    const [first] = this.#waiters;
    if (first !== undefined && first.need <= this.freeSlots) {
      return `a waiter needs ${first.need} tx slots and ${this.freeSlots} are free`;
    }
    if (this.#waiters.length > 0) {
      const fault = this.#tx.sleepFault();
      if (fault !== undefined) return fault;
    }
    return this.#isHeld && this.#faults.regrants === true ? undefined : this.#rx.sleepFault();
  }
}
