/** IPv4 addresses and CIDRs: text at the edges, int32 inside. */
import { Address4 } from 'ip-address';

export const ADDRESS_ANY = 0;
export const ADDRESS_BROADCAST = -1;
/** 127.0.0.1 */
export const ADDRESS_LOOPBACK = 0x7f00_0001;

/** An address with its network. */
export interface Cidr {
  readonly address: number;
  readonly prefixBits: number;
  readonly mask: number;
  /** First address: `address & mask`. */
  readonly network: number;
  /** Directed broadcast; for /31 and /32, which have none (RFC 3021), 255.255.255.255. */
  readonly broadcast: number;
}

/**
 * Reads `192.168.8.1`.
 * @returns the address as an int32.
 * @throws RangeError when it is anything else (no leading zeros, no short forms, no names).
 */
export function parseAddress(text: string): number {
  if (text.includes('/') || !Address4.isValid(text)) {
    throw new RangeError(`"${text}" is not an IPv4 address (expected four numbers of 0 to 255, as in 192.168.8.1)`);
  }
  return toInt(new Address4(text));
}

/** @returns whether `parseAddress` would take it. */
export function isAddress(text: string): boolean {
  return !text.includes('/') && Address4.isValid(text);
}

/** @returns e.g. `192.168.8.1`. */
export function formatAddress(address: number): string {
  return Address4.fromInteger(address >>> 0).correctForm();
}

/**
 * Reads `192.168.8.101/24`; without a prefix it is a /32.
 * @throws RangeError when it is anything else.
 */
export function parseCidr(text: string): Cidr {
  if (!Address4.isValid(text)) {
    throw new RangeError(`"${text}" is not an IPv4 address with a prefix (as in 192.168.8.101/24)`);
  }
  const parsed = new Address4(text);
  return cidrOf(toInt(parsed), parsed.subnetMask);
}

/** @returns the Cidr of an address and a prefix length in 0..32. */
export function cidrOf(address: number, prefixBits: number): Cidr {
  const mask = maskOf(prefixBits);
  const network = address & mask;
  const broadcast = prefixBits >= 31 ? ADDRESS_BROADCAST : network | ~mask;
  return { address: address | 0, prefixBits, mask, network, broadcast };
}

/** @returns e.g. `192.168.8.101/24`. */
export function formatCidr(cidr: Cidr): string {
  return `${formatAddress(cidr.address)}/${cidr.prefixBits}`;
}

/** @returns the netmask of a prefix length in 0..32 as an int32. */
export function maskOf(prefixBits: number): number {
  return prefixBits === 0 ? 0 : (-1 << (32 - prefixBits)) | 0;
}

/** @returns whether `address` lies in the network of `cidr`. */
export function contains(cidr: Cidr, address: number): boolean {
  return ((address ^ cidr.network) & cidr.mask) === 0;
}

/** 224.0.0.0/4 */
export function isMulticast(address: number): boolean {
  return (address & 0xf000_0000) === (0xe000_0000 | 0);
}

/** 127.0.0.0/8 */
export function isLoopback(address: number): boolean {
  return address >>> 24 === 127;
}

/** 169.254.0.0/16 (RFC 3927) */
export function isLinkLocal(address: number): boolean {
  return address >>> 16 === 0xa9fe;
}

function toInt(parsed: Address4): number {
  let address = 0;
  for (const byte of parsed.toArray()) address = (address << 8) | byte;
  return address;
}
