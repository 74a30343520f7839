import { PAGE_SIZE, type Packet } from '@qanat/bytes';
import { type Kernel, WATCHED_TX } from '@qanat/os';
import { type FrontRing, GRANT_ENTRIES, NETTXF_MORE_DATA } from '@qanat/xen';
import type { EventWaiters } from './event-waiters.ts';
import { TxBuffers } from './tx-buffers.ts';

const NOBODY = -1;

/** Who holds the lock of the transmit ring, and what for. */
export type TxHolder =
  | { readonly waitsFor: 'event'; readonly slots: number; readonly sinceUs: number }
  | { readonly waitsFor: 'slot' | 'answer'; readonly slots: 1; readonly sinceUs: number };

/**
 * Sending as in 2013. Every packet is a thread that takes the lock of the ring, in order:
 *
 * - several pages: waits until more slots are free than it needs ("need >= free" waits: one too many), and it is the next
 *   *event* that makes it look again, not whoever frees slots; then writes them, publishes once, and gives the lock back.
 * - one page (a pure ACK): is written, and the lock is kept until the backend has answered.
 *
 * A grant is made for every slot and taken back with its answer. The request's id is the grant reference.
 */
export class TxPath {
  readonly ring: FrontRing;
  readonly buffers: TxBuffers;
  /** Packets that wait for the lock, the first one next. */
  readonly #queue: Packet[] = [];
  #queueHead = 0;
  /** What the holder of the lock waits for; undefined while nobody holds it. */
  holder: TxHolder | undefined;
  #held: Packet | undefined;
  /** Request whose answer gives the lock back. */
  #answerId = NOBODY;
  /** Buffer by request id. */
  readonly #bufferOf = new Int32Array(GRANT_ENTRIES).fill(NOBODY);
  readonly #kernel: Kernel;
  readonly #backendId: number;
  readonly #waiters: EventWaiters;
  readonly #notify: () => void;
  readonly #attempt = (): void => {
    this.#write();
    this.#next();
  };
  /** How often a writer had to wait for an event. */
  waits = 0;
  onBufferFree: (buffer: number) => void = () => {};

  constructor(
    kernel: Kernel,
    backendId: number,
    ring: FrontRing,
    buffers: TxBuffers,
    waiters: EventWaiters,
    notify: () => void,
  ) {
    this.#kernel = kernel;
    this.#backendId = backendId;
    this.ring = ring;
    this.buffers = buffers;
    this.#waiters = waiters;
    this.#notify = notify;
  }

  /** Packets that wait behind the holder of the lock. */
  get queued(): number {
    return this.#queue.length - this.#queueHead;
  }

  /** Slots that hold a request or an unread answer. */
  get used(): number {
    return this.ring.entries - this.ring.freeRequests();
  }

  send(packet: Packet): void {
    this.#queue.push(packet);
    this.#next();
  }

  /** Gives the lock to who waits for it, one after the other. */
  #next(): void {
    while (this.holder === undefined && this.queued > 0) {
      this.#held = this.#queue[this.#queueHead++]!;
      if (this.#queueHead === this.#queue.length) {
        this.#queue.length = 0;
        this.#queueHead = 0;
      }
      this.#write();
    }
  }

  /** The holder's next step. */
  #write(): void {
    const packet = this.#held!;
    const free = this.ring.freeRequests();
    const sinceUs = this.holder?.sinceUs ?? this.#kernel.clock.now();
    if (TxBuffers.slots(packet) === 1) {
      if (free === 0) {
        this.holder = { waitsFor: 'slot', slots: 1, sinceUs };
        return;
      }
      this.#answerId = this.#request(packet, packet.addr, packet.len, packet.len, 0);
      this.holder = { waitsFor: 'answer', slots: 1, sinceUs };
      this.#push();
      return;
    }
    if (2 >= free) {
      this.holder = { waitsFor: 'event', slots: 2, sinceUs };
      this.waits++;
      this.#waiters.wait(this.#attempt);
      return;
    }
    const headerBytes = PAGE_SIZE - (packet.addr & (PAGE_SIZE - 1));
    this.#request(packet, packet.addr, headerBytes, packet.len, NETTXF_MORE_DATA);
    const rest = packet.len - headerBytes;
    this.#request(packet, packet.addr + headerBytes, rest, rest, 0);
    this.holder = undefined;
    this.#push();
  }

  #request(packet: Packet, addr: number, bytes: number, size: number, flags: number): number {
    const { i32 } = this.#kernel.memory;
    const ref = this.#kernel.grants.grantAccess(this.#backendId, addr, true);
    if (ref < 0) throw new Error('no grant reference for a transmit page');
    const slot = this.ring.nextRequest() >>> 2;
    i32[slot] = ref;
    i32[slot + 1] = (addr & (PAGE_SIZE - 1)) | (flags << 16);
    i32[slot + 2] = ref | (size << 16);
    this.#bufferOf[ref] = packet.token;
    this.buffers.pending[packet.token]!++;
    if (bytes <= 0) throw new Error('a transmit slot without bytes');
    return ref;
  }

  #push(): void {
    const notify = this.ring.pushRequestsAndCheckNotify();
    this.#kernel.watched.observer?.pushed(WATCHED_TX, this.used, 0);
    if (notify) this.#notify();
  }

  /** tx_poll: reads the answers. Wakes who waits for a slot or an answer; who waits for an event hears nothing of it. */
  poll(): void {
    const { ring } = this;
    const { i32 } = this.#kernel.memory;
    const before = ring.rspCons;
    do {
      for (let left = ring.unconsumedResponses(); left > 0; left--) {
        const id = i32[ring.nextResponse() >>> 2]! & 0xffff;
        const buffer = this.#bufferOf[id]!;
        if (buffer === NOBODY) throw new Error(`tx response for id ${id}, which is not in flight`);
        this.#bufferOf[id] = NOBODY;
        // The backend copies and has let go before it answers.
        this.#kernel.grants.endAccess(id);
        if (--this.buffers.pending[buffer]! === 0) {
          this.buffers.free(buffer);
          this.onBufferFree(buffer);
        }
        if (id === this.#answerId) {
          this.#answerId = NOBODY;
          this.holder = undefined;
        }
      }
    } while (ring.finalCheckForResponses());
    if (ring.rspCons !== before) this.#kernel.watched.observer?.reaped(WATCHED_TX, this.used, 0);
    if (this.holder?.waitsFor === 'slot') this.#write();
    this.#next();
  }

  /** Sleep audit: what would never wake anybody, or undefined. */
  sleepFault(): string | undefined {
    const { holder, ring } = this;
    if (holder?.waitsFor === 'event' && holder.slots <= ring.freeRequests()) {
      const free = ring.freeRequests();
      const underWay = ring.entries - free - ring.unconsumedResponses();
      const hope = underWay === 0 ? 'nothing is under way whose answer would be an event' : `${underWay} are under way`;
      return (
        `a writer that needs ${holder.slots} tx slots waits for an event, not for the slots: ${free} of ${ring.entries} ` +
        `are free, ${hope}, ${this.queued} packets wait behind it`
      );
    }
    return ring.sleepFault();
  }
}
