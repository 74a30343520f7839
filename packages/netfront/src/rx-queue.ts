import { type Memory, PACKET_CSUM_BLANK, PACKET_DATA_VALIDATED, PAGE_SIZE, Packet } from '@qanat/bytes';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import type { NetifUp } from '@qanat/link';
import {
  EXTRA_FLAGS,
  EXTRA_GSO_SIZE,
  EXTRA_GSO_TYPE,
  EXTRA_TYPE,
  type FrontRing,
  NETRXF_CSUM_BLANK,
  NETRXF_DATA_VALIDATED,
  NETRXF_EXTRA_INFO,
  NETRXF_MORE_DATA,
  XEN_NETIF_EXTRA_FLAG_MORE,
  XEN_NETIF_EXTRA_TYPE_GSO,
  XEN_NETIF_EXTRA_TYPE_HASH,
  XEN_NETIF_EXTRA_TYPE_NONE,
  XEN_NETIF_GSO_TYPE_TCPV4,
  XEN_NETIF_NR_SLOTS_MIN,
} from '@qanat/xen';
import { MAX_FRAME_BYTES, type NetfrontConfig, RX_HEAD_BYTES } from './config.ts';
import { Gro } from './gro.ts';
import { type RingWatch, watchRxPush, watchRxReap } from './ring-watch.ts';
import type { RxPages } from './rx-pages.ts';

const CHAINED = NETRXF_MORE_DATA | NETRXF_EXTRA_INFO;
/** The most extra slots that make sense: one of each type. */
const MAX_EXTRAS = 4;

/** What the RX side counts. */
export interface RxCounters {
  packets: number;
  bytes: number;
  slots: number;
  /** Packets that the backend could not deliver (negative status). */
  errors: number;
  /** Packets that are too short or too long, or have no head. */
  dropped: number;
  /** Of the packets, super-segments; and those that came with the checksum blank. */
  gsoPackets: number;
  blankChecksums: number;
  /** Frames that GRO joined to the one before. */
  groJoined: number;
  notifications: number;
}

/**
 * The receive ring of one connection with a backend. All pages are posted all the time, but for those of the packet
 * that is being handed up. Request i is answered in slot i (netif.h), and a page goes back into the slot from which
 * it came, so page and id of a slot never change: both are the slot's number.
 */
export class RxQueue {
  readonly ring: FrontRing;
  /** What is wrong with the ring; set once, then it is not touched any more. */
  fault: string | undefined;
  readonly #memory: Memory;
  readonly #pages: RxPages;
  readonly #counters: RxCounters;
  readonly #notify: () => void;
  readonly #watch: RingWatch;
  readonly #refillBatch: number;
  readonly #gso: boolean;
  readonly #mask: number;
  readonly #packet = new Packet();
  readonly #gro: Gro | undefined;
  /** Behind the last slot of the packet that GRO holds. */
  #heldEnd = 0;
  #unpushed = 0;
  /** The producer that was seen when a packet was found to be incomplete; then there is nothing to do until it moves. */
  #incompleteProd = 0;
  #isIncomplete = false;
  #isStopped = false;

  constructor(
    memory: Memory,
    ring: FrontRing,
    pages: RxPages,
    counters: RxCounters,
    config: Pick<NetfrontConfig, 'rxRefillBatch' | 'gro'>,
    gso: boolean,
    notify: () => void,
    watch: RingWatch,
  ) {
    this.#memory = memory;
    this.ring = ring;
    this.#pages = pages;
    this.#counters = counters;
    this.#refillBatch = config.rxRefillBatch;
    this.#gso = gso;
    this.#notify = notify;
    this.#watch = watch;
    this.#mask = ring.entries - 1;
    this.#gro = config.gro ? new Gro(memory, new Packet()) : undefined;
    while (ring.freeRequests() > 0) this.#post();
    this.push();
  }

  /** Posts the page of the next request slot. */
  #post(): void {
    const index = this.ring.reqProdPvt & this.#mask;
    const slot = this.ring.nextRequest() >>> 2;
    const { i32 } = this.#memory;
    i32[slot] = index;
    i32[slot + 1] = this.#pages.refs[index]!;
    this.#unpushed++;
  }

  /** Publishes the pages that were posted, and notifies the backend if it asked for it. */
  push(): void {
    if (this.#unpushed === 0) return;
    this.#unpushed = 0;
    const notify = this.ring.pushRequestsAndCheckNotify();
    if (this.#watch.watched.observer !== undefined) watchRxPush(this.#watch, this.ring, notify);
    if (!notify) return;
    this.#counters.notifications++;
    this.#notify();
  }

  /** Ends a `drain` that is under way: the device was closed from inside of `receive`. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Hands up at most `limit` packets, each in the page where it lies. Sets `fault` when the backend broke the rules.
   * @returns how many packets were taken off the ring, lost ones included.
   */
  drain(up: NetifUp, limit: number, nowUs: number): number {
    const packets = this.#drain(up, limit, nowUs);
    if (this.#gro?.isHolding === true) this.#handUp(up, nowUs);
    return packets;
  }

  /** Hands up what GRO holds, and posts its pages again. */
  #handUp(up: NetifUp, nowUs: number): void {
    const packet = this.#gro!.take();
    if (this.#isStopped) return;
    packet.arrivedUs = nowUs;
    this.ring.rspCons = this.#heldEnd;
    up.receive(packet);
    if (!this.#isStopped) this.#postFree();
  }

  #postFree(): void {
    while (this.ring.freeRequests() > 0) this.#post();
    if (this.#unpushed >= this.#refillBatch) this.push();
  }

  /**
   * Tries to make a frame of one slot part of a packet of several; what is held and not continued by it is handed up.
   * @returns whether it is held now.
   */
  #hold(gro: Gro, up: NetifUp, addr: number, len: number, flags: number, nowUs: number): boolean {
    if (gro.isHolding) {
      if (gro.join(addr, len, flags)) {
        this.#counters.groJoined++;
        return true;
      }
      this.#handUp(up, nowUs);
      if (this.#isStopped) return false;
    }
    return gro.begin(addr, len, flags);
  }

  #drain(up: NetifUp, limit: number, nowUs: number): number {
    const { ring } = this;
    const { i32 } = this.#memory;
    const packet = this.#packet;
    const counters = this.#counters;
    const gro = this.#gro;
    const prod = ring.rspProd | 0;
    let cons = ring.rspCons | 0;
    if ((prod - cons) >>> 0 > ring.entries - ring.freeRequests() - this.#unpushed) {
      this.fault = `rx rsp_prod is ${(prod - cons) >>> 0} ahead`;
      return 0;
    }
    if (cons !== prod && this.#watch.watched.observer !== undefined) {
      watchRxReap(this.#watch, (ring.reqProdPvt - this.#unpushed - prod) | 0);
    }
    this.#isIncomplete = false;
    let packets = 0;
    while (cons !== prod && packets < limit) {
      const slot = ring.slotAddr(cons) >>> 2;
      const word0 = i32[slot]!;
      const word1 = i32[slot + 1]!;
      const index = cons & this.#mask;
      const offset = word0 >>> 16;
      const flags = word1 & 0xffff;
      const status = word1 >> 16;
      let slots = 1;
      let good: boolean;
      if ((word0 & 0xffff) !== index) {
        this.fault = `rx response for id ${word0 & 0xffff} in slot ${index}`;
        return packets;
      }
      if ((flags & CHAINED) === 0) {
        if (status > 0 && offset + status > PAGE_SIZE) {
          this.fault = `rx response of ${status} bytes at offset ${offset}`;
          return packets;
        }
        good = status >= ETH_HEADER_BYTES;
        if (good && gro !== undefined) {
          if (this.#hold(gro, up, this.#pages.addrs[index]! + offset, status, packetFlags(flags), nowUs)) {
            cons = (cons + 1) | 0;
            this.#heldEnd = cons;
            counters.slots++;
            packets++;
            counters.packets++;
            counters.bytes += status;
            if (flags & NETRXF_CSUM_BLANK) counters.blankChecksums++;
            continue;
          }
          if (this.#isStopped) return packets;
        }
        if (good) packet.set(this.#pages.addrs[index]! + offset, status);
        else if (status < 0) counters.errors++;
        else counters.dropped++;
      } else {
        slots = this.#gather(cons, prod);
        if (slots <= 0) {
          if (slots === 0) {
            this.#isIncomplete = true;
            this.#incompleteProd = prod;
          }
          return packets;
        }
        good = packet.len > 0;
      }
      if (gro?.isHolding === true) {
        this.#handUp(up, nowUs);
        if (this.#isStopped) return packets;
      }
      cons = (cons + slots) | 0;
      ring.rspCons = cons;
      counters.slots += slots;
      packets++;
      if (good) {
        packet.flags = packetFlags(flags);
        if (flags & NETRXF_CSUM_BLANK) counters.blankChecksums++;
        if (packet.gsoSize > 0) counters.gsoPackets++;
        packet.arrivedUs = nowUs;
        counters.packets++;
        counters.bytes += packet.len;
        up.receive(packet);
        if (this.#isStopped) return packets;
      }
      this.#postFree();
    }
    return packets;
  }

  /**
   * Puts the packet at `cons`, which has several slots, together in `#packet`; `len` 0 when it is lost.
   * @returns its slots, 0 when they are not all there yet, -1 when `fault` was set.
   */
  #gather(cons: number, prod: number): number {
    const { i32 } = this.#memory;
    const packet = this.#packet;
    const available = (prod - cons) >>> 0;
    let slots = 0;
    let frags = 0;
    let len = 0;
    let lost = 0;
    let more = true;
    packet.set(0, 0);
    while (more) {
      if (slots === available) return 0;
      const index = (cons + slots) & this.#mask;
      const slot = this.ring.slotAddr(cons + slots) >>> 2;
      const word0 = i32[slot]!;
      const word1 = i32[slot + 1]!;
      const offset = word0 >>> 16;
      const flags = word1 & 0xffff;
      const status = word1 >> 16;
      if ((word0 & 0xffff) !== index) return this.#broken(`rx response for id ${word0 & 0xffff} in slot ${index}`);
      if (status > 0 && offset + status > PAGE_SIZE) {
        return this.#broken(`rx response of ${status} bytes at offset ${offset}`);
      }
      if (++frags > XEN_NETIF_NR_SLOTS_MIN)
        return this.#broken(`rx packet of more than ${XEN_NETIF_NR_SLOTS_MIN} slots`);
      slots++;
      if ((flags & NETRXF_EXTRA_INFO) !== 0) {
        if (frags > 1) return this.#broken('rx extra info that does not belong to the first slot');
        const extras = this.#readExtras(cons + slots, available - slots);
        if (extras <= 0) return extras;
        slots += extras;
      }
      if (status < 0) lost = status;
      else if (status > 0) {
        if (packet.headLen === 0) {
          packet.addr = this.#pages.addrs[index]! + offset;
          packet.headLen = status;
        } else {
          packet.fragAddr[packet.fragCount] = this.#pages.addrs[index]! + offset;
          packet.fragLen[packet.fragCount++] = status;
        }
        len += status;
      }
      more = (flags & NETRXF_MORE_DATA) !== 0;
    }
    packet.len = len;
    if (lost < 0) {
      this.#counters.errors++;
      packet.len = 0;
    } else if (len < ETH_HEADER_BYTES || len > MAX_FRAME_BYTES) {
      this.#counters.dropped++;
      packet.len = 0;
    } else if (packet.headLen < RX_HEAD_BYTES && packet.fragCount > 0) {
      this.#linearizeHead();
    }
    return slots;
  }

  /**
   * Reads the extra slots at `cons`: GSO, where we said that we take it, and the hash, which is of no use to us.
   * @returns their number, 0 when they are not all there yet, -1 when `fault` was set.
   */
  #readExtras(cons: number, available: number): number {
    const { u8, u16 } = this.#memory;
    for (let extras = 0; extras < available; extras++) {
      if (extras === MAX_EXTRAS) return this.#broken(`more than ${MAX_EXTRAS} rx extra slots`);
      const addr = this.ring.slotAddr(cons + extras);
      const type = u8[addr + EXTRA_TYPE]!;
      const flags = u8[addr + EXTRA_FLAGS]!;
      if (type === XEN_NETIF_EXTRA_TYPE_NONE || type > XEN_NETIF_EXTRA_TYPE_HASH) {
        return this.#broken(`rx extra slot of type ${type}`);
      }
      if (type === XEN_NETIF_EXTRA_TYPE_GSO && this.#gso) {
        const size = u16[(addr + EXTRA_GSO_SIZE) >>> 1]!;
        const gsoType = u8[addr + EXTRA_GSO_TYPE]!;
        if (gsoType !== XEN_NETIF_GSO_TYPE_TCPV4 || size === 0) {
          return this.#broken(`rx GSO of type ${gsoType}, size ${size}`);
        }
        this.#packet.gsoSize = size;
      } else if (type !== XEN_NETIF_EXTRA_TYPE_HASH) {
        return this.#broken(`rx extra slot of type ${type}, not negotiated`);
      }
      if ((flags & XEN_NETIF_EXTRA_FLAG_MORE) === 0) return extras + 1;
    }
    return 0;
  }

  #broken(fault: string): -1 {
    this.fault = fault;
    return -1;
  }

  /** Copies the first RX_HEAD_BYTES bytes (or all) to one place. */
  #linearizeHead(): void {
    const packet = this.#packet;
    const { kernel } = this.#memory;
    const scratch = this.#pages.headAddr;
    const want = Math.min(packet.len, RX_HEAD_BYTES);
    kernel.copy(scratch, packet.addr, packet.headLen);
    let have = packet.headLen;
    let from = 0;
    for (; have < want; from++) {
      const bytes = Math.min(want - have, packet.fragLen[from]!);
      kernel.copy(scratch + have, packet.fragAddr[from]!, bytes);
      have += bytes;
      packet.fragAddr[from] = packet.fragAddr[from]! + bytes;
      packet.fragLen[from] = packet.fragLen[from]! - bytes;
      if (packet.fragLen[from]! > 0) break;
    }
    packet.addr = scratch;
    packet.headLen = want;
    packet.fragCount -= from;
    packet.fragAddr.copyWithin(0, from, from + packet.fragCount);
    packet.fragLen.copyWithin(0, from, from + packet.fragCount);
  }

  /** Whether `drain` would find something to do. */
  get hasWork(): boolean {
    const prod = this.ring.rspProd;
    return this.#isIncomplete ? (prod | 0) !== this.#incompleteProd : prod !== this.ring.rspCons;
  }

  /** Asks for an event at the next response. @returns whether it is there already: then drain again before sleeping. */
  arm(): boolean {
    if (!this.#isIncomplete) return this.ring.finalCheckForResponses();
    if (this.hasWork) return true;
    this.ring.armResponseEvent((this.#incompleteProd - (this.ring.rspCons | 0) + 1) | 0);
    return this.hasWork;
  }

  /** Sleep audit: what would never wake anybody, or undefined. */
  sleepFault(): string | undefined {
    if (this.#unpushed > 0) return `${this.#unpushed} rx pages are posted and not published`;
    return this.ring.sleepFault();
  }
}

/** PACKET_* for NETRXF_*. */
function packetFlags(flags: number): number {
  if (flags & NETRXF_CSUM_BLANK) return PACKET_CSUM_BLANK | PACKET_DATA_VALIDATED;
  return flags & NETRXF_DATA_VALIDATED ? PACKET_DATA_VALIDATED : 0;
}
