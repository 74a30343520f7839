import { type Memory, PAGE_SHIFT, PAGE_SIZE, Packet, type PageAllocator } from '@qanat/bytes';
import { Timer, type TimerQueue } from '@qanat/clock';
import { LRUCache } from 'lru-cache';
import { IPV4_DEFAULTS, type Ipv4Config } from './config.ts';
import { copyFromPacket, copyToBytes } from './packet-bytes.ts';
import { FRAGMENT_DUPLICATE, ReassemblyContext } from './reassembly-context.ts';
import * as wire from './wire.ts';

export interface ReassemblyOptions {
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly timers: TimerQueue;
  readonly config?: Partial<Ipv4Config>;
  /**
   * A datagram was not complete in time and its first fragment had come (RFC 1122 section 3.3.2): time for an ICMP
   * time exceeded, code 1. `addr`: that fragment as it came, header first, `bytes` of it; good until the call returns.
   */
  readonly onTimeExceeded?: (addr: number, bytes: number) => void;
}

/** Counters; they only grow. Linux's names (SNMP IP MIB) where it has them, in lower camel case. */
export interface ReassemblyStats {
  /** Fragments that came. */
  reasmReqds: number;
  /** Datagrams put together. */
  reasmOks: number;
  /** Datagrams given up, for whatever reason. */
  reasmFails: number;
  /** Of these: not complete in time. */
  reasmTimeout: number;
  /** Of these: fragments overlap or contradict each other. */
  reasmOverlaps: number;
  /** Of these: to make room. */
  reasmEvicted: number;
  /** Fragments that came twice. */
  duplicates: number;
  /** Fragments that no honest host makes. */
  malformed: number;
}

/** Bytes that the first fragment must hold: enough for the ports and flags that a filter looks at (RFC 3128). */
const MIN_FIRST_BYTES_TCP = 20;
const MIN_FIRST_BYTES = 8;
const SCRATCH_PAGES = (wire.IPV4_MAX_TOTAL_BYTES + PAGE_SIZE) >>> PAGE_SHIFT;
const ECN_CE_SEEN = 1 << wire.ECN_CE;
const ECN_NOT_ECT_SEEN = 1 << wire.ECN_NOT_ECT;

/**
 * Puts datagrams together (RFC 791 section 3.2, RFC 815, with overlap treated as in RFC 5722). Memory is bounded in
 * all and per source; who makes room is the oldest datagram of the source that holds most.
 */
export class Reassembler {
  readonly stats: ReassemblyStats = {
    reasmReqds: 0,
    reasmOks: 0,
    reasmFails: 0,
    reasmTimeout: 0,
    reasmOverlaps: 0,
    reasmEvicted: 0,
    duplicates: 0,
    malformed: 0,
  };
  readonly #config: Ipv4Config;
  readonly #memory: Memory;
  readonly #pages: PageAllocator;
  readonly #timers: TimerQueue;
  readonly #onTimeExceeded: ((addr: number, bytes: number) => void) | undefined;
  readonly #timer = new Timer((nowUs) => this.#expire(nowUs));
  readonly #contexts: LRUCache<string, ReassemblyContext>;
  readonly #pagesBySource = new Map<number, number>();
  readonly #datagram = new Packet();
  #pagesUsed = 0;
  #scratch = 0;
  #nowUs = 0;

  constructor(options: ReassemblyOptions) {
    this.#config = { ...IPV4_DEFAULTS, ...options.config };
    this.#memory = options.memory;
    this.#pages = options.pages;
    this.#timers = options.timers;
    this.#onTimeExceeded = options.onTimeExceeded;
    this.#contexts = new LRUCache({
      max: this.#config.maxReassemblies,
      ttl: this.#config.reassemblyTimeoutUs,
      // 0: otherwise lru-cache would set host timers. A start of 0 would mean "no time to live", hence the 1.
      ttlResolution: 0,
      perf: { now: () => this.#nowUs + 1 },
      dispose: (context, _key, reason) => this.#dispose(context, reason),
    });
  }

  /** Pages that hold fragments now. */
  get pagesUsed(): number {
    return this.#pagesUsed;
  }

  /** Datagrams in the making, those given up included. */
  get size(): number {
    return this.#contexts.size;
  }

  /**
   * Takes in a fragment.
   * @param packet at its IP header, which has been checked, and trimmed to the total length. Not changed.
   * @returns the whole datagram when this completes it, header first, in memory of ours that is good until the next
   * call; else undefined.
   */
  receive(packet: Packet, nowUs: number): Packet | undefined {
    this.#nowUs = nowUs;
    this.stats.reasmReqds++;
    const memory = this.#memory;
    const ip = packet.addr;
    const headerBytes = wire.getHeaderBytes(memory, ip);
    const offset = wire.getFragmentOffset(memory, ip);
    const bytes = packet.len - headerBytes;
    const more = (wire.getFlags(memory, ip) & wire.FLAG_MF) !== 0;
    const protocol = wire.getProtocol(memory, ip);
    const src = wire.getSrc(memory, ip);
    const key = `${src} ${wire.getDst(memory, ip)} ${(protocol << 16) | wire.getId(memory, ip)}`;

    let context = this.#contexts.get(key);
    if (!isSane(offset, bytes, more, protocol, headerBytes)) {
      this.stats.malformed++;
      if (context !== undefined) this.#giveUp(context);
      return undefined;
    }
    if (context === undefined) {
      this.#makeRoom();
      context = new ReassemblyContext(key, src, nowUs + this.#config.reassemblyTimeoutUs);
      this.#contexts.set(key, context);
      // Deadlines only grow: the earliest is armed already unless this is the only one.
      if (!this.#timer.armed) this.#timers.arm(this.#timer, context.deadlineUs + 1);
    }
    if (context.dead) return undefined;
    if (!this.#store(context, packet, headerBytes, offset, bytes, more)) return undefined;
    return context.complete ? this.#finish(context, packet) : undefined;
  }

  /** Drops everything and gives the memory back. */
  close(): void {
    this.#contexts.clear();
    this.#timers.cancel(this.#timer);
    if (this.#scratch !== 0) this.#pages.free(this.#scratch, SCRATCH_PAGES);
    this.#scratch = 0;
  }

  /** @returns whether the fragment was new and is kept. */
  #store(
    context: ReassemblyContext,
    packet: Packet,
    headerBytes: number,
    offset: number,
    bytes: number,
    more: boolean,
  ): boolean {
    const place = context.place(offset, bytes);
    if (place === FRAGMENT_DUPLICATE && more === (offset + bytes !== context.totalBytes)) {
      this.stats.duplicates++;
      return false;
    }
    const end = offset + bytes;
    const contradicts = more
      ? context.totalBytes >= 0 && end >= context.totalBytes
      : context.totalBytes >= 0 || context.endBytes > end;
    if (place < 0 || contradicts) {
      this.stats.reasmOverlaps++;
      this.#giveUp(context);
      return false;
    }
    if (context.offsets.length >= this.#config.maxFragments || !this.#reserve(context, offset, end)) {
      this.stats.reasmEvicted++;
      this.#giveUp(context);
      return false;
    }
    if (offset === 0) {
      context.headerBytes = headerBytes;
      copyToBytes(this.#memory, packet, context.header, headerBytes);
    }
    if (!more) context.totalBytes = end;
    context.ecnSeen |= 1 << (wire.getTos(this.#memory, packet.addr) & wire.ECN_MASK);
    for (let at = offset; at < end; ) {
      const inPage = at & (PAGE_SIZE - 1);
      const piece = Math.min(end - at, PAGE_SIZE - inPage);
      const to = context.pages[at >>> PAGE_SHIFT]! + inPage;
      copyFromPacket(this.#memory, packet, headerBytes + at - offset, to, piece);
      at += piece;
    }
    context.insert(place, offset, bytes);
    return true;
  }

  /** Gets the pages for payload [offset, end), making room at others' expense where that is fair. */
  #reserve(context: ReassemblyContext, offset: number, end: number): boolean {
    const { reassemblyPages, reassemblyPagesPerSource } = this.#config;
    for (let page = offset >>> PAGE_SHIFT; page << PAGE_SHIFT < end; page++) {
      if (context.pages[page] !== 0) continue;
      while ((this.#pagesBySource.get(context.src) ?? 0) >= reassemblyPagesPerSource) {
        if (!this.#evictOldest(context.src, context)) return false;
      }
      while (this.#pagesUsed >= reassemblyPages) {
        if (!this.#evictOldest(this.#heaviestSource(), context)) return false;
      }
      const addr = this.#pages.alloc();
      if (addr === 0) return false;
      context.pages[page] = addr;
      context.pageCount++;
      this.#pagesUsed++;
      this.#pagesBySource.set(context.src, (this.#pagesBySource.get(context.src) ?? 0) + 1);
    }
    return true;
  }

  /** When the table is full, takes out one that was given up, else the oldest of the source that holds most. */
  #makeRoom(): void {
    if (this.#contexts.size < this.#config.maxReassemblies) return;
    const heaviest = this.#heaviestSource();
    let victim: ReassemblyContext | undefined;
    for (const context of this.#contexts.rvalues()) {
      if (context === undefined) continue;
      if (context.dead) {
        victim = context;
        break;
      }
      if (victim === undefined && context.src === heaviest) victim = context;
    }
    if (victim === undefined) return;
    if (!victim.dead) this.stats.reasmEvicted++;
    this.#giveUp(victim);
    this.#contexts.delete(victim.key);
  }

  #heaviestSource(): number {
    let heaviest = 0;
    let most = 0;
    for (const [src, pages] of this.#pagesBySource) {
      if (pages > most) {
        most = pages;
        heaviest = src;
      }
    }
    return heaviest;
  }

  /** Gives up the source's datagram that has waited longest for a fragment. @returns whether there was one. */
  #evictOldest(src: number, except: ReassemblyContext): boolean {
    for (const context of this.#contexts.rvalues()) {
      if (context?.src !== src || context === except || context.pageCount === 0) continue;
      this.stats.reasmEvicted++;
      this.#giveUp(context);
      return true;
    }
    return false;
  }

  #finish(context: ReassemblyContext, last: Packet): Packet | undefined {
    const memory = this.#memory;
    const ceAndNotEct = ECN_CE_SEEN | ECN_NOT_ECT_SEEN;
    const length = context.headerBytes + context.totalBytes;
    if (
      length > wire.IPV4_MAX_TOTAL_BYTES ||
      (context.ecnSeen & ceAndNotEct) === ceAndNotEct ||
      !this.#assemble(context, context.totalBytes)
    ) {
      this.#giveUp(context);
      return undefined;
    }
    const scratch = this.#scratch;
    if ((context.ecnSeen & ECN_CE_SEEN) !== 0) memory.u8[scratch + wire.OFFSET_TOS]! |= wire.ECN_CE;
    memory.view.setUint16(scratch + wire.OFFSET_TOTAL_LENGTH, length);
    memory.view.setUint16(scratch + wire.OFFSET_FLAGS, 0);
    wire.updateChecksum(memory, scratch);
    this.#contexts.delete(context.key);
    if (this.#contexts.size === 0) this.#timers.cancel(this.#timer);
    this.stats.reasmOks++;
    this.#datagram.set(scratch, length);
    this.#datagram.arrivedUs = last.arrivedUs;
    return this.#datagram;
  }

  /** Copies the first header and `bytes` of payload to the scratch. @returns whether there is memory for a scratch. */
  #assemble(context: ReassemblyContext, bytes: number): boolean {
    const memory = this.#memory;
    if (this.#scratch === 0) this.#scratch = this.#pages.allocContiguous(SCRATCH_PAGES);
    if (this.#scratch === 0) return false;
    for (let i = 0; i < context.headerBytes; i++) memory.u8[this.#scratch + i] = context.header[i]!;
    const payload = this.#scratch + context.headerBytes;
    for (let at = 0; at < bytes; at += PAGE_SIZE) {
      memory.kernel.copy(payload + at, context.pages[at >>> PAGE_SHIFT]!, Math.min(bytes - at, PAGE_SIZE));
    }
    return true;
  }

  /** The datagram can no longer be had; later fragments of it are swallowed until its time is over. */
  #giveUp(context: ReassemblyContext): void {
    if (context.dead) return;
    context.dead = true;
    this.stats.reasmFails++;
    this.#release(context);
  }

  #release(context: ReassemblyContext): void {
    for (let i = 0; i < context.pages.length; i++) {
      const addr = context.pages[i]!;
      if (addr === 0) continue;
      this.#pages.free(addr);
      context.pages[i] = 0;
    }
    const left = (this.#pagesBySource.get(context.src) ?? 0) - context.pageCount;
    if (left > 0) this.#pagesBySource.set(context.src, left);
    else this.#pagesBySource.delete(context.src);
    this.#pagesUsed -= context.pageCount;
    context.pageCount = 0;
  }

  #dispose(context: ReassemblyContext, reason: LRUCache.DisposeReason): void {
    if (!context.dead) {
      if (reason === 'expire') this.#reportTimeout(context);
      if (reason === 'evict') this.stats.reasmEvicted++;
      if (reason === 'expire' || reason === 'evict') this.stats.reasmFails++;
    }
    this.#release(context);
  }

  #reportTimeout(context: ReassemblyContext): void {
    this.stats.reasmTimeout++;
    if (this.#onTimeExceeded === undefined || context.headerBytes === 0) return;
    const bytes = Math.min(context.firstBytes, wire.IPV4_MIN_REASSEMBLY_BYTES);
    if (this.#assemble(context, bytes)) this.#onTimeExceeded(this.#scratch, context.headerBytes + bytes);
  }

  #expire(nowUs: number): void {
    this.#nowUs = nowUs;
    this.#contexts.purgeStale();
    let earliestUs = Number.POSITIVE_INFINITY;
    for (const context of this.#contexts.values()) earliestUs = Math.min(earliestUs, context.deadlineUs);
    if (this.#contexts.size > 0) this.#timers.arm(this.#timer, earliestUs + 1);
  }
}

/** @returns whether an honest host may have sent such a fragment. */
function isSane(offset: number, bytes: number, more: boolean, protocol: number, headerBytes: number): boolean {
  if (bytes <= 0) return false;
  if (more && (bytes & 7) !== 0) return false;
  if (headerBytes + offset + bytes > wire.IPV4_MAX_TOTAL_BYTES) return false;
  const minFirst = protocol === wire.PROTOCOL_TCP ? MIN_FIRST_BYTES_TCP : MIN_FIRST_BYTES;
  if (offset === 0) return bytes >= minFirst;
  // RFC 1858: a fragment at offset 8 would overwrite TCP's flags behind a filter's back.
  return protocol !== wire.PROTOCOL_TCP || offset >= MIN_FIRST_BYTES_TCP;
}
