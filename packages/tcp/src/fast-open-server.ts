import type { Connection } from './connection.ts';
import type { Listener } from './listener.ts';
import type { Segment } from './segment.ts';
import { sipHash24 } from './siphash.ts';

/** A server's key for Fast Open cookies: 128 bits as four words (Linux: tcp_fastopen_key). */
export type FastOpenKey = readonly [number, number, number, number];

const COOKIE_BYTES = 8;

/**
 * TCP Fast Open, RFC 7413, the server's side: a client that brings the cookie that it was given earlier has shown that
 * it is where it says, so its data may be acted upon before the handshake ends.
 */
export class FastOpenServer {
  #key: Int32Array | undefined;
  readonly #firstKey: () => FastOpenKey;
  /** The key before: its cookies still count, and are answered with a new one. */
  #oldKey: Int32Array | undefined;
  readonly #addresses = new Uint8Array(8);
  readonly #expected = new Uint8Array(COOKIE_BYTES);

  /** @param firstKey is asked for with the first client. */
  constructor(firstKey: () => FastOpenKey) {
    this.#firstKey = firstKey;
  }

  /** Changes the key; cookies made with the one before are good until the next change. */
  setKey(key: FastOpenKey): void {
    this.#oldKey = this.#key;
    this.#key = Int32Array.from(key);
  }

  /**
   * Looks at the Fast Open option of a SYN, and notes on `c` what the SYN-ACK shall answer.
   * @returns whether data in the SYN is welcome.
   */
  admits(listener: Listener, c: Connection, segment: Segment): boolean {
    const { options } = segment;
    const { stats, nowUs } = c.tcp;
    const { fastOpenServer, fastOpenServerNoCookie: unproved } = listener.config;
    const asks = options.cookieBytes >= 0 || (unproved && segment.len > 1);
    if (!fastOpenServer || !asks) return false;
    if (options.cookieBytes === 0) stats.TCPFastOpenCookieReqd++;
    if (!listener.mayFastOpen(nowUs)) {
      stats.TCPFastOpenListenOverflow++;
      return false;
    }
    if (unproved) {
      stats.TCPFastOpenPassive++;
      return true;
    }
    this.#key ??= Int32Array.from(this.#firstKey());
    const fresh = this.#cookie(segment, this.#key).slice();
    if (options.cookieBytes > 0) {
      const offered = options.cookie;
      const good = options.cookieBytes === COOKIE_BYTES;
      if (good && equal(offered, fresh)) {
        stats.TCPFastOpenPassive++;
        return true;
      }
      if (good && this.#oldKey !== undefined && equal(offered, this.#cookie(segment, this.#oldKey))) {
        stats.TCPFastOpenPassive++;
        stats.TCPFastOpenPassiveAltKey++;
        this.#answer(c, fresh, options.cookieExperimental);
        return true;
      }
      stats.TCPFastOpenPassiveFail++;
    }
    this.#answer(c, fresh, options.cookieExperimental);
    return false;
  }

  #answer(c: Connection, cookie: Uint8Array, experimental: boolean): void {
    c.cookie = cookie;
    c.cookieExperimental = experimental;
  }

  /** As Linux makes them, so that hosts behind one address can share a key: a hash of both addresses. */
  #cookie(segment: Segment, key: Int32Array): Uint8Array {
    const addresses = this.#addresses;
    for (let i = 0; i < 4; i++) {
      addresses[i] = segment.src >>> (24 - 8 * i);
      addresses[4 + i] = segment.dst >>> (24 - 8 * i);
    }
    sipHash24(key, addresses, this.#expected);
    return this.#expected;
  }
}

function equal(offered: Uint8Array, expected: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < COOKIE_BYTES; i++) difference |= offered[i]! ^ expected[i]!;
  return difference === 0;
}
