/**
 * The xenstore protocol as it lies in memory. Source: Xen public/io/xs_wire.h, docs/misc/xenstore.txt and
 * docs/misc/xenstore-ring.txt. All fields are little-endian.
 */

/** Message types, `enum xsd_sockmsg_type`. 20 (RESTRICT) is no longer used. */
export const XS_CONTROL = 0;
export const XS_DIRECTORY = 1;
export const XS_READ = 2;
export const XS_GET_PERMS = 3;
export const XS_WATCH = 4;
export const XS_UNWATCH = 5;
export const XS_TRANSACTION_START = 6;
export const XS_TRANSACTION_END = 7;
export const XS_INTRODUCE = 8;
export const XS_RELEASE = 9;
export const XS_GET_DOMAIN_PATH = 10;
export const XS_WRITE = 11;
export const XS_MKDIR = 12;
export const XS_RM = 13;
export const XS_SET_PERMS = 14;
export const XS_WATCH_EVENT = 15;
export const XS_ERROR = 16;
export const XS_IS_DOMAIN_INTRODUCED = 17;
export const XS_RESUME = 18;
export const XS_SET_TARGET = 19;
export const XS_RESET_WATCHES = 21;
export const XS_DIRECTORY_PART = 22;

/** `struct xsd_sockmsg`: type, req_id, tx_id, len, four u32. */
export const XS_HEADER_BYTES = 16;
/** Largest payload; a longer one is a protocol violation that ends the connection. */
export const XENSTORE_PAYLOAD_MAX = 4096;
/** Longest absolute path in bytes. */
export const XENSTORE_ABS_PATH_MAX = 3072;
/** Longest relative path in bytes. */
export const XENSTORE_REL_PATH_MAX = 2048;

/** `struct xenstore_domain_interface`: offsets in the page that a domain shares with xenstored. */
export const XENSTORE_RING_BYTES = 1024;
export const XENSTORE_REQ = 0;
export const XENSTORE_RSP = 1024;
export const XENSTORE_REQ_CONS = 2048;
export const XENSTORE_REQ_PROD = 2052;
export const XENSTORE_RSP_CONS = 2056;
export const XENSTORE_RSP_PROD = 2060;
export const XENSTORE_SERVER_FEATURES = 2064;
export const XENSTORE_CONNECTION = 2068;
export const XENSTORE_ERROR = 2072;

/** Bits of `server_features`. */
export const XENSTORE_SERVER_FEATURE_RECONNECTION = 1;
export const XENSTORE_SERVER_FEATURE_ERROR = 2;
/** Values of `connection`. */
export const XENSTORE_CONNECTED = 0;
export const XENSTORE_RECONNECT = 1;
/** Values of `error`. */
export const XENSTORE_ERROR_NONE = 0;
export const XENSTORE_ERROR_COMM = 1;
export const XENSTORE_ERROR_RINGIDX = 2;
export const XENSTORE_ERROR_PROTO = 3;

/** The errors that have a name on the wire (`xsd_errors`). */
export const XENSTORE_ERROR_CODES = [
  'EINVAL',
  'EACCES',
  'EEXIST',
  'EISDIR',
  'ENOENT',
  'ENOMEM',
  'ENOSPC',
  'EIO',
  'ENOTEMPTY',
  'ENOSYS',
  'EROFS',
  'EBUSY',
  'EAGAIN',
  'EISCONN',
  'E2BIG',
  'EPERM',
] as const;

export type XenstoreErrorCode = (typeof XENSTORE_ERROR_CODES)[number];

/** @returns the code that a peer sent, or EIO for a name that xs_wire.h does not list. */
export function errorCodeOf(name: string): XenstoreErrorCode {
  for (const code of XENSTORE_ERROR_CODES) if (code === name) return code;
  return 'EIO';
}

/** The bytes of a string of which every char is one byte (paths, tokens, and values as xenstored keeps them). */
export function bytesOfLatin1(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Inverse of `bytesOfLatin1`; total on all bytes. */
export function latin1OfBytes(bytes: Uint8Array, from = 0, to = bytes.length): string {
  let text = '';
  for (let i = from; i < to; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
