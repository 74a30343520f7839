import type { IsnGenerator } from './isn.ts';
import type { Segment } from './segment.ts';

/**
 * SYN cookies (RFC 4987 section 3.6): when the backlog is full, the SYN-ACK's sequence number carries what must be
 * remembered, under a keyed hash, and its timestamp carries the options. No state is held until the ACK proves that the
 * peer is where it says.
 */

/** MSS values that fit two bits of the cookie, as Linux has them. */
const MSS_TABLE = [536, 1300, 1440, 1460] as const;
/** The clock of cookies: they are good for two of these. */
const EPOCH_US = 64_000_000;
const MAX_AGE_EPOCHS = 2;
/** Low bits of the cookie's timestamp: window shift (15: none), SACK, ECN. */
const TS_OPTION_BITS = 6;
const TS_SHIFT_MASK = 15;
const TS_SACK = 16;
const TS_ECN = 32;

/** What a cookie remembers of the SYN. */
export interface CookieOptions {
  mss: number;
  /** -1: none. */
  windowShift: number;
  sackPermitted: boolean;
  ecn: boolean;
}

export class SynCookies {
  readonly #hash: IsnGenerator;
  /** When the last was sent. */
  #madeUs = Number.NEGATIVE_INFINITY;

  /** @param hash with a secret of its own. */
  constructor(hash: IsnGenerator) {
    this.#hash = hash;
  }

  /** @returns the sequence number of the SYN-ACK that answers `segment` (int32). */
  make(segment: Segment, mss: number, nowUs: number): number {
    this.#madeUs = nowUs;
    let index = MSS_TABLE.length - 1;
    while (index > 0 && MSS_TABLE[index]! > mss) index--;
    const epoch = Math.floor(nowUs / EPOCH_US);
    return this.#cookie(segment, segment.seq, epoch, index);
  }

  /**
   * Looks at an ACK that belongs to no connection.
   * @returns the MSS that the SYN had offered (rounded down to the table), or 0 when it acknowledges no cookie of ours.
   */
  check(segment: Segment, nowUs: number): number {
    // Nobody shall guess at cookies while the backlog suffices.
    if (nowUs - this.#madeUs > MAX_AGE_EPOCHS * EPOCH_US) return 0;
    const cookie = (segment.ack - 1) | 0;
    const irs = (segment.seq - 1) | 0;
    const epoch = Math.floor(nowUs / EPOCH_US);
    for (let age = 0; age < MAX_AGE_EPOCHS; age++) {
      const index = cookie & 3;
      if (this.#cookie(segment, irs, epoch - age, index) === cookie) return MSS_TABLE[index]!;
    }
    return 0;
  }

  #cookie(segment: Segment, irs: number, epoch: number, mssIndex: number): number {
    const ports = (segment.srcPort << 16) | segment.dstPort | 0;
    const first = this.#hash.hash(segment.src, segment.dst, ports);
    return (this.#hash.hash(first, irs, (epoch << 2) | mssIndex) & ~3) | mssIndex;
  }
}

/** The TSval of a cookie's SYN-ACK: the latest value not after `now` whose low bits carry the options. */
export function cookieTimestamp(tsNow: number, o: CookieOptions): number {
  const bits =
    (o.windowShift < 0 ? TS_SHIFT_MASK : o.windowShift) | (o.sackPermitted ? TS_SACK : 0) | (o.ecn ? TS_ECN : 0);
  const value = (tsNow & ~((1 << TS_OPTION_BITS) - 1)) | bits;
  return ((value - tsNow) | 0) > 0 ? (value - (1 << TS_OPTION_BITS)) | 0 : value;
}

/** Reads the options back from the echoed timestamp; without timestamps there are none. */
export function cookieOptions(mss: number, hasTimestamps: boolean, tsEcr: number): CookieOptions {
  if (!hasTimestamps) return { mss, windowShift: -1, sackPermitted: false, ecn: false };
  const shift = tsEcr & TS_SHIFT_MASK;
  return {
    mss,
    windowShift: shift === TS_SHIFT_MASK ? -1 : shift,
    sackPermitted: (tsEcr & TS_SACK) !== 0,
    ecn: (tsEcr & TS_ECN) !== 0,
  };
}
