import { type Random, Timer, type TimerQueue } from '@qanat/clock';
import type { ArpConfig } from './config.ts';

export type ClaimState = 'none' | 'probing' | 'owned' | 'lost';

/** What a claim needs of its owner. */
export interface ClaimPort {
  /** Broadcasts an ARP request for the claimed address; `senderIp` 0 is a probe, the address itself an announcement. */
  sendClaim(senderIp: number): void;
  /** The address may be used from now on. */
  addressReady(): void;
  /** Another host uses the address. `lost`: we do not use it any more. */
  addressConflict(macHi: number, macLo: number, lost: boolean): void;
}

/**
 * Our own address on the link: probing before use, announcing, and defence (RFC 5227). Choosing another address after
 * a conflict, and its rate limit (MAX_CONFLICTS), is up to who chose this one.
 */
export class AddressClaim {
  state: ClaimState = 'none';
  ip = 0;
  readonly #config: ArpConfig;
  readonly #port: ClaimPort;
  readonly #random: Random;
  readonly #timers: TimerQueue;
  readonly #timer = new Timer((nowUs) => this.#onDue(nowUs));
  #probesLeft = 0;
  #announcesLeft = 0;
  #lastConflictUs = Number.NEGATIVE_INFINITY;
  #lastDefenceUs = Number.NEGATIVE_INFINITY;

  constructor(config: ArpConfig, timers: TimerQueue, random: Random, port: ClaimPort) {
    this.#config = config;
    this.#timers = timers;
    this.#random = random;
    this.#port = port;
  }

  get owned(): boolean {
    return this.state === 'owned';
  }

  /** Claims `ip`: by probes if the configuration says so, else by announcing it. */
  start(ip: number, nowUs: number): void {
    this.stop();
    this.ip = ip;
    if (this.#config.probe) {
      this.state = 'probing';
      this.#probesLeft = this.#config.probeCount;
      this.#timers.arm(this.#timer, nowUs + Math.floor(this.#random.float() * this.#config.probeWaitUs));
    } else {
      this.#own(nowUs);
    }
  }

  /** Gives the address up without a word. */
  stop(): void {
    this.#timers.cancel(this.#timer);
    this.state = 'none';
    this.ip = 0;
    this.#announcesLeft = 0;
    this.#lastConflictUs = Number.NEGATIVE_INFINITY;
    this.#lastDefenceUs = Number.NEGATIVE_INFINITY;
  }

  /** Announces an address we own (again), e.g. after a link came back. */
  announce(nowUs: number): void {
    if (!this.owned) return;
    this.#announcesLeft = this.#config.announceCount;
    this.#onDue(nowUs);
  }

  /** A packet with our address as its sender, or a probe for it, came from another MAC. */
  onConflict(macHi: number, macLo: number, nowUs: number): void {
    if (this.state === 'probing') {
      this.#lose(macHi, macLo);
      return;
    }
    if (!this.owned) return;
    const { defendIntervalUs, defence } = this.#config;
    const again = nowUs - this.#lastConflictUs < defendIntervalUs;
    this.#lastConflictUs = nowUs;
    // RFC 5227 section 2.4 (b): the first conflict is defended, a second one soon after ends it.
    if (again && defence === 'give-up') {
      this.#lose(macHi, macLo);
      return;
    }
    if (nowUs - this.#lastDefenceUs >= defendIntervalUs) {
      this.#lastDefenceUs = nowUs;
      this.#port.sendClaim(this.ip);
    }
    this.#port.addressConflict(macHi, macLo, false);
  }

  #onDue(nowUs: number): void {
    const config = this.#config;
    if (this.state === 'probing') {
      if (this.#probesLeft === 0) {
        this.#own(nowUs);
        return;
      }
      this.#probesLeft--;
      this.#port.sendClaim(0);
      const spread = config.probeMaxUs - config.probeMinUs;
      const gapUs = config.probeMinUs + Math.floor(this.#random.float() * spread);
      this.#timers.arm(this.#timer, nowUs + (this.#probesLeft === 0 ? config.announceWaitUs : gapUs));
    } else if (this.owned && this.#announcesLeft > 0) {
      this.#announcesLeft--;
      this.#port.sendClaim(this.ip);
      if (this.#announcesLeft > 0) this.#timers.arm(this.#timer, nowUs + config.announceIntervalUs);
    }
  }

  #own(nowUs: number): void {
    this.state = 'owned';
    this.announce(nowUs);
    this.#port.addressReady();
  }

  #lose(macHi: number, macLo: number): void {
    this.#timers.cancel(this.#timer);
    this.state = 'lost';
    this.#port.addressConflict(macHi, macLo, true);
  }
}
