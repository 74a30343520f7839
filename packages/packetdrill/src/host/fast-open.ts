import type { Stack } from '@qanat/stack';
import type { FastOpenKey } from '@qanat/tcp';
import { UnsupportedError } from '../errors.ts';

/** Bits of tcp_fastopen. */
export const FAST_OPEN_CLIENT = 0x1;
export const FAST_OPEN_SERVER = 0x2;
/** Every listener takes Fast Open, with or without the socket option. */
export const FAST_OPEN_WITHOUT_OPTION = 0x400;
/** Data without a cookie. */
export const FAST_OPEN_CLIENT_NO_COOKIE = 0x4;
export const FAST_OPEN_SERVER_NO_COOKIE = 0x200;

const HEADERS_BYTES = 40;
const OPTIONS_BYTES = 40;
const DEFAULT_MSS = 536;

/** @throws UnsupportedError when it is no number. */
export function fastOpenBits(value: string): number {
  const bits = Number(value);
  if (!Number.isSafeInteger(bits)) throw new UnsupportedError(`the sysctl ipv4.tcp_fastopen=${value} is no integer`);
  return bits;
}

/** tcp_fastopen_key: the key, and after a comma the one whose cookies still count. The first is the newest. */
export function fastOpenKeys(value: string): FastOpenKey[] {
  return value.split(',').map((text) => {
    const words = text
      .trim()
      .split('-')
      .map((word) => Number.parseInt(word, 16));
    const [a, b, c, d] = words;
    if (words.length !== 4 || words.some(Number.isNaN))
      throw new UnsupportedError(`the Fast Open key ${text} is malformed`);
    return [a! | 0, b! | 0, c! | 0, d! | 0];
  });
}

/**
 * How much data may ride on a SYN to an address, as Linux's sendto(MSG_FASTOPEN) would take it.
 * @param fastOpen FAST_OPEN_* bits.
 * @returns undefined when there is no cookie: then the SYN asks for one.
 */
export function synDataRoom(stack: Stack, remote: number, fastOpen: number): number | undefined {
  const via = stack.interfaces[0];
  const metrics = via && stack.tcp.destinations.get(via.address, remote);
  if (!via) return undefined;
  const hasCookie = metrics !== undefined && metrics.cookie.length > 0;
  if (!hasCookie && !(fastOpen & FAST_OPEN_CLIENT_NO_COOKIE)) return undefined;
  const mss = metrics !== undefined && metrics.mss > 0 ? metrics.mss : DEFAULT_MSS;
  return Math.max(0, Math.min(via.mtu - HEADERS_BYTES, mss) - OPTIONS_BYTES);
}
