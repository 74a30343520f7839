import type { Perms } from './perms.ts';
import { latin1OfBytes, XENSTORE_ABS_PATH_MAX, XENSTORE_REL_PATH_MAX } from './wire.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const LEGAL_PATH = /^[-A-Za-z0-9/_@]+$/;

/** @internal */
export function areSendablePerms(perms: Perms): boolean {
  return perms.length > 0 && perms.every(({ domid }) => Number.isInteger(domid) && domid >= 0 && domid <= 0xffff);
}

/** @internal Whether xenstored would look at the path at all. */
export function isSendablePath(path: string): boolean {
  return path.length <= (path.startsWith('/') ? XENSTORE_ABS_PATH_MAX : XENSTORE_REL_PATH_MAX) && LEGAL_PATH.test(path);
}

/** Text as the bytes of its UTF-8, one char each. */
export function encodeValue(value: string): string {
  return latin1OfBytes(encoder.encode(value));
}

/** The text of UTF-8 bytes; total: broken sequences become U+FFFD. */
export function decodeValue(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
