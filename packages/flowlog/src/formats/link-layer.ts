/** Where the IPv4 header stands in a captured packet, by the LINKTYPE_* of its interface. */

const LINKTYPE_NULL = 0;
const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW_BSD = [12, 14];
const LINKTYPE_RAW = 101;
const LINKTYPE_LOOP = 108;
const LINKTYPE_LINUX_SLL = 113;
const LINKTYPE_IPV4 = 228;
const LINKTYPE_LINUX_SLL2 = 276;

const ETHERTYPE_IPV4 = 0x0800;
/** Tags before the type: 802.1Q, 802.1ad, and what came before it. */
const VLAN_TYPES: readonly number[] = [0x8100, 0x88a8, 0x9100];
const MAX_TAGS = 8;
/** AF_INET, the same on every system. */
const FAMILY_IPV4 = 2;

/** @returns the offset in `bytes` of the IPv4 header, -1 when the packet is something else or too short. */
export function ipv4Offset(bytes: Uint8Array, offset: number, length: number, linkType: number): number {
  const end = offset + length;
  switch (linkType) {
    case LINKTYPE_ETHERNET:
      return afterType(bytes, offset + 12, end);
    case LINKTYPE_LINUX_SLL:
      return afterType(bytes, offset + 14, end);
    case LINKTYPE_LINUX_SLL2:
      if (length < 20) return -1;
      return isIpv4Type(bytes, offset) ? ifIpv4(bytes, offset + 20, end) : afterTags(bytes, offset, offset + 20, end);
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP: {
      if (length < 4) return -1;
      // The family is in the byte order of the machine that captured (NULL) or big-endian (LOOP).
      const family = bytes[offset]! === 0 ? bytes[offset + 3]! : bytes[offset]!;
      return family === FAMILY_IPV4 ? ifIpv4(bytes, offset + 4, end) : -1;
    }
    case LINKTYPE_RAW:
    case LINKTYPE_IPV4:
      return ifIpv4(bytes, offset, end);
    default:
      return LINKTYPE_RAW_BSD.includes(linkType) ? ifIpv4(bytes, offset, end) : -1;
  }
}

/** @param at of an EtherType, with what it announces behind it. */
function afterType(bytes: Uint8Array, at: number, end: number): number {
  for (let tags = 0; tags <= MAX_TAGS && at + 2 <= end; tags++, at += 4) {
    if (isIpv4Type(bytes, at)) return ifIpv4(bytes, at + 2, end);
    if (!VLAN_TYPES.includes((bytes[at]! << 8) | bytes[at + 1]!)) return -1;
  }
  return -1;
}

/** As `afterType`, when the type stands apart from what it announces. */
function afterTags(bytes: Uint8Array, typeAt: number, at: number, end: number): number {
  const isTagged = VLAN_TYPES.includes((bytes[typeAt]! << 8) | bytes[typeAt + 1]!);
  return isTagged ? afterType(bytes, at + 2, end) : -1;
}

function isIpv4Type(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at]! << 8) | bytes[at + 1]!) === ETHERTYPE_IPV4;
}

function ifIpv4(bytes: Uint8Array, at: number, end: number): number {
  return at + 20 <= end && bytes[at]! >>> 4 === 4 ? at : -1;
}
