import { latin1OfBytes, XENSTORE_ABS_PATH_MAX, XENSTORE_REL_PATH_MAX } from './wire.ts';

/** What a domain may do with a node: nothing, read, write, both (`n r w b` on the wire). */
export type XenstoreAccess = 'n' | 'r' | 'w' | 'b';

/** One entry of a node's permissions. */
export interface XenstorePerm {
  readonly access: XenstoreAccess;
  readonly domid: number;
}

/** First the owner (who may do everything) with the access of everybody who is not listed; then the listed ones. */
export type Perms = readonly XenstorePerm[];

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const LEGAL_PATH = /^[-A-Za-z0-9/_@]+$/;

/** @returns the permissions, or undefined if an entry is not `[nrwb]DOMID`. */
export function parsePerms(texts: readonly string[]): Perms | undefined {
  const perms: XenstorePerm[] = [];
  for (const text of texts) {
    const match = /^([nrwb])(\d{1,5})$/.exec(text);
    const domid = Number(match?.[2]);
    if (match === null || !(domid <= 0xffff)) return undefined;
    perms.push({ access: match[1] as XenstoreAccess, domid });
  }
  return perms;
}

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
