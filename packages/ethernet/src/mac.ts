/** MAC addresses: as text and bytes at the edges, as (hi, lo) inside. */

export const BROADCAST_HI = 0xffff;
export const BROADCAST_LO = -1;
/** `ff:ff:ff:ff:ff:ff`. Shared: not to be written to. */
export const BROADCAST_MAC = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);

/** Xen's prefix (OUI of XenSource), as `xl` gives to vifs that have no address of their own. */
const XEN_OUI_HI = 0x0016;
const XEN_OUI_THIRD = 0x3e;

const MAC_TEXT = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}$/i;

/** @returns bytes 0-1 of a MAC. */
export function macHi(mac: Uint8Array): number {
  return (mac[0]! << 8) | mac[1]!;
}

/** @returns bytes 2-5 of a MAC as an int32. */
export function macLo(mac: Uint8Array): number {
  return (mac[2]! << 24) | (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!;
}

/** @returns six bytes. */
export function macBytes(hi: number, lo: number): Uint8Array {
  return new Uint8Array([hi >>> 8, hi, lo >>> 24, lo >>> 16, lo >>> 8, lo]);
}

/**
 * Reads `00:16:3e:00:00:01` (or with dashes).
 * @returns six bytes.
 * @throws RangeError when it is anything else.
 */
export function parseMac(text: string): Uint8Array {
  if (!MAC_TEXT.test(text)) {
    throw new RangeError(`"${text}" is not a MAC address (expected six hex bytes, as in 00:16:3e:00:00:01)`);
  }
  return Uint8Array.from({ length: 6 }, (_, i) => Number.parseInt(text.slice(i * 3, i * 3 + 2), 16));
}

/** @returns e.g. `00:16:3e:00:00:01`. */
export function formatMac(mac: Uint8Array): string {
  return Array.from(mac.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** `formatMac` for an address held as two ints. */
export function formatMacInts(hi: number, lo: number): string {
  return formatMac(macBytes(hi, lo));
}

/** @returns whether the group bit is set: multicast, and broadcast too. */
export function isMulticast(hi: number): boolean {
  return (hi & 0x0100) !== 0;
}

export function isBroadcast(hi: number, lo: number): boolean {
  return hi === BROADCAST_HI && lo === BROADCAST_LO;
}

export function isZero(hi: number, lo: number): boolean {
  return hi === 0 && lo === 0;
}

/** @returns whether a station may have this address: neither a group nor all zeros. */
export function isStation(hi: number, lo: number): boolean {
  return !isMulticast(hi) && !isZero(hi, lo);
}

/** @returns whether the address is locally administered (IEEE 802 clause 8.4). */
export function isLocal(hi: number): boolean {
  return (hi & 0x0200) !== 0;
}

/** What `randomMac` draws from; `Random` of @qanat/clock is one. */
export interface RandomSource {
  u32(): number;
}

/** @returns a random unicast, locally administered address. */
export function randomMac(random: RandomSource): Uint8Array {
  return macBytes((random.u32() & 0xfcff) | 0x0200, random.u32() | 0);
}

/** @returns a random address under Xen's prefix 00:16:3e, as `xl` makes them. */
export function randomXenMac(random: RandomSource): Uint8Array {
  return macBytes(XEN_OUI_HI, (XEN_OUI_THIRD << 24) | (random.u32() & 0x7f_ffff));
}

/** @returns the group address of an IPv4 multicast address (RFC 1112 section 6.4) as its low part; `hi` is 0x0100. */
export function multicastLo(ip: number): number {
  return 0x5e00_0000 | (ip & 0x7f_ffff);
}
export const MULTICAST_HI = 0x0100;
