import type { Memory } from '@qanat/bytes';
import type { Random, TimerQueue } from '@qanat/clock';
import { BROADCAST_HI, BROADCAST_LO, macHi, macLo } from '@qanat/ethernet';
import { AddressClaim, type ClaimState } from './address-claim.ts';
import { ARP_DEFAULTS, type ArpConfig } from './config.ts';
import { ARP_FAILED, ARP_FORGOTTEN, ARP_INCOMPLETE, ARP_PROBE, ARP_REACHABLE, ARP_STALE, ArpEntry } from './entry.ts';
import { PendingPool } from './pending.ts';
import type { ArpOptions, ArpPort } from './port.ts';
import { type ArpStats, newArpStats } from './stats.ts';
import { ArpTable } from './table.ts';
import { WaitingPackets } from './waiting-packets.ts';
import * as wire from './wire.ts';

export const ARP_QUEUED = 0;
/** The next hop has just failed to answer: EHOSTUNREACH. */
export const ARP_UNREACHABLE = 1;
/** The packet is too long to wait, or there is no memory. */
export const ARP_DROPPED = 2;

/** Address resolution of one interface with one address (RFC 826, RFC 1122 section 2.3.2, RFC 5227). */
export class Arp {
  readonly config: ArpConfig;
  readonly stats: ArpStats = newArpStats();
  readonly macHi: number;
  readonly macLo: number;
  readonly #memory: Memory;
  readonly #timers: TimerQueue;
  readonly #random: Random;
  readonly #port: ArpPort;
  readonly #waiting: WaitingPackets;
  readonly #table: ArpTable;
  readonly #claim: AddressClaim;
  readonly #onDue = (entry: ArpEntry, nowUs: number): void => this.#entryDue(entry, nowUs);
  #ip = 0;
  #mask = 0;

  constructor(options: ArpOptions) {
    this.config = { ...ARP_DEFAULTS, ...options.config };
    this.macHi = macHi(options.mac);
    this.macLo = macLo(options.mac);
    this.#memory = options.memory;
    this.#timers = options.timers;
    this.#random = options.random;
    this.#port = options.port;
    const pool = new PendingPool(options.memory, options.pages, options.maxPacketBytes, this.config.maxPending);
    this.#waiting = new WaitingPackets(pool, this.#port, this.stats, this.config.maxPendingPerEntry);
    this.#table = new ArpTable(this.config, (entry) => this.#forget(entry));
    this.#claim = new AddressClaim(this.config, this.#timers, this.#random, {
      sendClaim: (senderIp) => this.#sendClaim(senderIp),
      addressReady: () => this.#port.addressReady(),
      addressConflict: (hi, lo, lost) => {
        this.stats.conflicts++;
        this.#port.addressConflict(hi, lo, lost);
      },
    });
  }

  /** Takes an address (flushing what was known under another) and claims it on the link. */
  setAddress(ip: number, mask: number, nowUs: number): void {
    this.flush();
    this.#ip = ip;
    this.#mask = mask;
    this.#claim.start(ip, nowUs);
  }

  get claimState(): ClaimState {
    return this.#claim.state;
  }

  /** Announces our address again (a link came up, a domain migrated). */
  announce(nowUs: number): void {
    this.#claim.announce(nowUs);
  }

  /**
   * The data path's question.
   * @returns a neighbour to send to now (`valid`, with a MAC), or undefined: then `enqueue` the packet.
   */
  lookup(ip: number, nowUs: number): ArpEntry | undefined {
    const table = this.#table;
    table.setNow(nowUs);
    let entry = table.active.get(ip);
    if (entry === undefined) {
      entry = table.learned.get(ip);
      if (entry === undefined) return undefined;
      table.move(entry, table.active);
    }
    if (entry.state === ARP_STALE) this.#startProbe(entry, nowUs);
    return entry;
  }

  /** Progress of a flow proves that this neighbour hears us (RFC 1122 section 2.3.2.1): spares it a probe. */
  confirm(entry: ArpEntry, nowUs: number): void {
    entry.confirmedUs = nowUs;
  }

  /** A flow gets nowhere: what was proved of this neighbour counts no more, the next packet makes sure of it. */
  doubt(entry: ArpEntry): void {
    if (entry.state === ARP_REACHABLE) this.#stale(entry);
  }

  /**
   * Copies a packet that shall go to `ip` when its MAC is known, and asks for the MAC.
   * @param addr the packet; it comes back by `ArpPort.sendPending` or `dropPending`, or is dropped silently when
   * younger ones need its place.
   * @returns ARP_QUEUED, ARP_UNREACHABLE or ARP_DROPPED.
   */
  enqueue(ip: number, addr: number, bytes: number, nowUs: number): number {
    const entry = this.#waitingEntry(ip, nowUs);
    if (entry.state === ARP_FAILED) return ARP_UNREACHABLE;
    if (!this.#waiting.append(entry, addr, bytes, this.#table.waiting.values())) return ARP_DROPPED;
    if (entry.valid) this.#waiting.drain(entry);
    return ARP_QUEUED;
  }

  /** Asks for the MAC of `ip` ahead of need (a gateway). Harmless when it is known. */
  resolve(ip: number, nowUs: number): void {
    this.#table.setNow(nowUs);
    if (this.#table.find(ip) === undefined) this.#waitingEntry(ip, nowUs);
  }

  /**
   * Whether packets whose neighbour is known by now wait for room in the device. Who minds the order of its packets sends
   * nothing before `transmitReady`.
   */
  get isBlocked(): boolean {
    return this.#waiting.isBlocked;
  }

  /** The device has room again. */
  transmitReady(): void {
    this.#waiting.transmitReady();
  }

  /**
   * Takes in a received ARP packet (behind its Ethernet header). Anything malformed is counted and dropped.
   * @param bytes contiguous bytes at `addr`.
   */
  receive(addr: number, bytes: number, nowUs: number): void {
    const memory = this.#memory;
    this.stats.received++;
    if (wire.checkPacket(memory, addr, bytes) !== wire.PACKET_OK) {
      this.stats.malformed++;
      return;
    }
    this.#table.setNow(nowUs);
    const operation = wire.getOperation(memory, addr);
    const hi = wire.getSenderHi(memory, addr);
    const lo = wire.getSenderLo(memory, addr);
    const senderIp = wire.getSenderIp(memory, addr);
    const targetIp = wire.getTargetIp(memory, addr);
    if (hi === this.macHi && lo === this.macLo) {
      this.stats.own++;
      return;
    }
    if (this.#ip !== 0 && (senderIp === this.#ip || (senderIp === 0 && targetIp === this.#ip && !this.#claim.owned))) {
      this.#claim.onConflict(hi, lo, nowUs);
      return;
    }
    const forUs = targetIp === this.#ip && this.#claim.owned;
    if (senderIp !== 0) this.#merge(senderIp, hi, lo, forUs, operation, addr, nowUs);
    if (forUs && operation === wire.ARP_REQUEST) {
      if (this.#port.sendArp(hi, lo, wire.ARP_REPLY, this.#ip, hi, lo, senderIp)) this.stats.repliesSent++;
    }
  }

  /** Enters a fixed neighbour, as `arp -s` does until it is flushed; it is still refreshed like any other. */
  add(ip: number, mac: Uint8Array, nowUs: number): ArpEntry {
    this.#table.setNow(nowUs);
    const entry = this.#table.find(ip) ?? this.#newEntry(ip);
    this.#setMac(entry, macHi(mac), macLo(mac), nowUs);
    this.#table.move(entry, this.#table.active);
    this.#reachable(entry, nowUs);
    return entry;
  }

  /** Forgets one neighbour. */
  remove(ip: number): void {
    const entry = this.#table.find(ip);
    if (entry === undefined) return;
    this.#table.delete(entry);
    this.#forget(entry);
  }

  /** Forgets all neighbours and drops what waits. */
  flush(): void {
    for (const entry of [...this.#table.entries()]) {
      this.#table.delete(entry);
      this.#forget(entry);
    }
  }

  /** All entries, for listings. */
  entries(): Iterable<ArpEntry> {
    return this.#table.entries();
  }

  get size(): number {
    return this.#table.size;
  }

  /** Packets that wait now. */
  get pending(): number {
    return this.#waiting.count;
  }

  close(): void {
    this.flush();
    this.#claim.stop();
    this.#waiting.close();
  }

  // Entries.

  #newEntry(ip: number): ArpEntry {
    const entry = new ArpEntry(ip, this.#onDue);
    entry.reachableUs = Math.floor(this.config.reachableUs * (0.5 + this.#random.float()));
    return entry;
  }

  /** The entry to queue for: usually one being asked for; a valid one when its packets met a full device. */
  #waitingEntry(ip: number, nowUs: number): ArpEntry {
    const table = this.#table;
    table.setNow(nowUs);
    const known = this.lookup(ip, nowUs) ?? table.waiting.get(ip);
    if (known !== undefined) return known;
    const entry = this.#newEntry(ip);
    table.move(entry, table.waiting);
    this.#startAsking(entry, nowUs);
    return entry;
  }

  #entryDue(entry: ArpEntry, nowUs: number): void {
    const config = this.config;
    this.#table.setNow(nowUs);
    switch (entry.state) {
      case ARP_REACHABLE: {
        const untilUs = entry.confirmedUs + entry.reachableUs;
        if (nowUs < untilUs) {
          this.#table.move(entry, this.#table.active);
          this.#timers.arm(entry.timer, untilUs);
        } else {
          this.#stale(entry);
        }
        break;
      }
      case ARP_PROBE:
        if (entry.confirmedUs >= entry.probeSinceUs) {
          this.#reachable(entry, entry.confirmedUs);
        } else if (entry.tries < config.unicastTries) {
          this.#ask(entry, entry.macHi, entry.macLo, nowUs);
        } else {
          // The MAC has gone, the address may have moved: ask everybody.
          entry.valid = false;
          this.#table.move(entry, this.#table.waiting);
          this.#startAsking(entry, nowUs);
        }
        break;
      case ARP_INCOMPLETE:
        if (entry.tries < config.broadcastTries) this.#ask(entry, BROADCAST_HI, BROADCAST_LO, nowUs);
        else this.#fail(entry, nowUs);
        break;
      case ARP_FAILED:
        this.#table.delete(entry);
        this.#forget(entry);
        break;
    }
  }

  #startAsking(entry: ArpEntry, nowUs: number): void {
    entry.state = ARP_INCOMPLETE;
    entry.tries = 0;
    this.#ask(entry, BROADCAST_HI, BROADCAST_LO, nowUs);
  }

  #startProbe(entry: ArpEntry, nowUs: number): void {
    entry.state = ARP_PROBE;
    entry.valid = true;
    entry.tries = 0;
    entry.probeSinceUs = nowUs;
    this.#timers.arm(entry.timer, nowUs + this.config.delayUs);
  }

  #ask(entry: ArpEntry, dstHi: number, dstLo: number, nowUs: number): void {
    this.#timers.arm(entry.timer, nowUs + this.config.retryUs);
    // A full device is not the neighbour's silence: it does not count as a try.
    if (!this.#port.sendArp(dstHi, dstLo, wire.ARP_REQUEST, this.#claim.owned ? this.#ip : 0, 0, 0, entry.ip)) return;
    entry.tries++;
    this.stats.requestsSent++;
  }

  #reachable(entry: ArpEntry, confirmedUs: number): void {
    entry.state = ARP_REACHABLE;
    entry.valid = true;
    entry.confirmedUs = confirmedUs;
    this.#timers.arm(entry.timer, confirmedUs + entry.reachableUs);
  }

  #stale(entry: ArpEntry): void {
    entry.state = ARP_STALE;
    entry.valid = false;
    this.#timers.cancel(entry.timer);
  }

  #fail(entry: ArpEntry, nowUs: number): void {
    entry.state = ARP_FAILED;
    this.stats.failed++;
    this.#timers.arm(entry.timer, nowUs + this.config.failedUs);
    this.#port.unreachable(entry.ip);
    this.#waiting.refuse(entry);
  }

  /** An entry has left the table: nobody may send by it, nothing may wait on it. */
  #forget(entry: ArpEntry): void {
    entry.state = ARP_FORGOTTEN;
    entry.valid = false;
    this.#timers.cancel(entry.timer);
    this.#waiting.forget(entry);
  }

  // Learning.

  #merge(ip: number, hi: number, lo: number, forUs: boolean, operation: number, addr: number, nowUs: number): void {
    const entry = this.#table.find(ip);
    if (entry === undefined) {
      // RFC 826: a new entry only when we are the target; and only for a neighbour on our network.
      if (forUs && this.#isNeighbour(ip)) this.#learn(ip, hi, lo, nowUs);
      return;
    }
    const solicited =
      forUs &&
      operation === wire.ARP_REPLY &&
      wire.getTargetHi(this.#memory, addr) === this.macHi &&
      wire.getTargetLo(this.#memory, addr) === this.macLo &&
      (entry.state === ARP_INCOMPLETE || entry.state === ARP_PROBE);
    if (entry.state === ARP_INCOMPLETE || entry.state === ARP_FAILED) {
      this.#setMac(entry, hi, lo, nowUs);
      this.#table.move(entry, this.#table.active);
      this.stats.resolved++;
      if (solicited) this.#reachable(entry, nowUs);
      else this.#startProbe(entry, nowUs);
      this.#waiting.drain(entry);
    } else if (entry.macHi !== hi || entry.macLo !== lo) {
      if (nowUs - entry.updatedUs < this.config.lockUs) {
        this.stats.locked++;
        return;
      }
      this.#setMac(entry, hi, lo, nowUs);
      this.stats.changed++;
      if (solicited) this.#reachable(entry, nowUs);
      else this.#stale(entry);
    } else if (solicited) {
      this.#reachable(entry, nowUs);
    }
  }

  /** @returns whether a host of our network may have this address. */
  #isNeighbour(ip: number): boolean {
    const hostMask = ~this.#mask;
    if (((ip ^ this.#ip) & this.#mask) !== 0) return false;
    // All zeros and all ones are nobody's, except on /31 and /32 (RFC 3021).
    return hostMask === 0 || hostMask === 1 || ((ip & hostMask) !== 0 && (ip & hostMask) !== hostMask);
  }

  #learn(ip: number, hi: number, lo: number, nowUs: number): void {
    const entry = this.#newEntry(ip);
    this.#setMac(entry, hi, lo, nowUs);
    entry.state = ARP_STALE;
    this.#table.move(entry, this.#table.learned);
    this.stats.learned++;
  }

  #setMac(entry: ArpEntry, hi: number, lo: number, nowUs: number): void {
    if (entry.macHi !== hi || entry.macLo !== lo) entry.generation = (entry.generation + 1) | 0;
    entry.macHi = hi;
    entry.macLo = lo;
    entry.updatedUs = nowUs;
  }

  #sendClaim(senderIp: number): void {
    if (this.#port.sendArp(BROADCAST_HI, BROADCAST_LO, wire.ARP_REQUEST, senderIp, 0, 0, this.#claim.ip)) {
      this.stats.claimsSent++;
    }
  }
}
