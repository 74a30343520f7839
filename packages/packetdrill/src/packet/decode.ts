import { internetSum, pseudoHeaderSum } from './checksum.ts';

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;

/** An IPv4 packet that the stack sent, as it stood on the wire. */
export interface LivePacket {
  /** When it left the stack, in microseconds of virtual time. */
  readonly us: number;
  readonly bytes: Uint8Array;
  readonly ip: LiveIp;
  readonly tcp: LiveTcp | undefined;
  readonly udp: LiveUdp | undefined;
  readonly icmp: LiveIcmp | undefined;
}

export interface LiveIp {
  readonly version: number;
  readonly headerBytes: number;
  readonly tos: number;
  readonly totalLength: number;
  readonly id: number;
  readonly dontFragment: boolean;
  /** More fragments follow, or this one is not the first. */
  readonly fragment: boolean;
  readonly ttl: number;
  readonly protocol: number;
  readonly checksumOk: boolean;
  /** Addresses as int32 in host order. */
  readonly source: number;
  readonly destination: number;
}

export interface LiveTcp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** uint32 */
  readonly seq: number;
  readonly ack: number;
  readonly headerBytes: number;
  /** Twelve bits: reserved (3), AE, CWR ... FIN. */
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  readonly checksumOk: boolean;
  readonly payloadBytes: number;
  /** Whether the payload is all zero, as what scripts write is. */
  readonly payloadZero: boolean;
  readonly options: readonly LiveOption[];
}

/** One TCP option; `kind` 0 and 1 have no data. */
export interface LiveOption {
  readonly kind: number;
  readonly data: Uint8Array;
}

export interface LiveUdp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payloadBytes: number;
  readonly checksumOk: boolean;
}

export interface LiveIcmp {
  readonly type: number;
  readonly code: number;
  readonly checksumOk: boolean;
  /** Identifier of an echo (bytes 4-5), MTU of a "fragmentation needed" (bytes 6-7). */
  readonly id: number;
  readonly mtu: number;
  /** The quoted packet of an error. */
  readonly quoted: LivePacket | undefined;
  readonly payloadBytes: number;
}

/**
 * Reads an IPv4 packet. Total: what is malformed gives a packet without `tcp`, `udp` and `icmp`.
 * @returns undefined when there is no IPv4 header at all.
 */
export function decodePacket(bytes: Uint8Array, us: number): LivePacket | undefined {
  return decode(bytes, us, false);
}

function decode(bytes: Uint8Array, us: number, quoted: boolean): LivePacket | undefined {
  if (bytes.length < 20) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = (bytes[0]! & 15) * 4;
  const totalLength = view.getUint16(2);
  if (bytes[0]! >> 4 !== 4 || headerBytes < 20 || headerBytes > bytes.length) return undefined;
  const fragment = view.getUint16(6);
  const ip: LiveIp = {
    version: 4,
    headerBytes,
    tos: bytes[1]!,
    totalLength,
    id: view.getUint16(4),
    dontFragment: (fragment & 0x4000) !== 0,
    fragment: (fragment & 0x3fff) !== 0,
    ttl: bytes[8]!,
    protocol: bytes[9]!,
    checksumOk: internetSum(bytes, 0, headerBytes) === 0xffff,
    source: view.getInt32(12),
    destination: view.getInt32(16),
  };
  const end = quoted ? bytes.length : Math.min(totalLength, bytes.length);
  const whole = !quoted && !ip.fragment && end >= headerBytes;
  return {
    us,
    bytes,
    ip,
    tcp:
      ip.protocol === PROTOCOL_TCP && (whole || quoted) ? decodeTcp(bytes, view, headerBytes, end, quoted) : undefined,
    udp:
      ip.protocol === PROTOCOL_UDP && (whole || quoted) ? decodeUdp(bytes, view, headerBytes, end, quoted) : undefined,
    icmp: ip.protocol === PROTOCOL_ICMP && whole ? decodeIcmp(bytes, view, headerBytes, end, us) : undefined,
  };
}

function decodeTcp(bytes: Uint8Array, view: DataView, at: number, end: number, quoted: boolean): LiveTcp | undefined {
  if (end - at < (quoted ? 8 : 20)) return undefined;
  const ports = {
    sourcePort: view.getUint16(at),
    destinationPort: view.getUint16(at + 2),
    seq: view.getUint32(at + 4),
  };
  if (end - at < 20) {
    const rest = { ack: 0, headerBytes: 20, flags: 0, window: 0, urgent: 0, checksumOk: true };
    return { ...ports, ...rest, payloadBytes: 0, payloadZero: true, options: [] };
  }
  const headerBytes = (bytes[at + 12]! >> 4) * 4;
  if (headerBytes < 20 || at + headerBytes > end) return undefined;
  let payloadZero = true;
  for (let i = at + headerBytes; i < end && payloadZero; i++) payloadZero = bytes[i] === 0;
  return {
    ...ports,
    ack: view.getUint32(at + 8),
    headerBytes,
    flags: view.getUint16(at + 12) & 0xfff,
    window: view.getUint16(at + 14),
    urgent: view.getUint16(at + 18),
    checksumOk: quoted || internetSum(bytes, at, end, pseudoHeaderSum(bytes, PROTOCOL_TCP, end - at)) === 0xffff,
    payloadBytes: end - at - headerBytes,
    payloadZero,
    options: decodeOptions(bytes.subarray(at + 20, at + headerBytes)),
  };
}

function decodeOptions(bytes: Uint8Array): LiveOption[] {
  const options: LiveOption[] = [];
  for (let i = 0; i < bytes.length; ) {
    const kind = bytes[i]!;
    const length = kind <= 1 ? 1 : (bytes[i + 1] ?? 0);
    const valid = length >= (kind <= 1 ? 1 : 2) && i + length <= bytes.length;
    options.push({ kind, data: bytes.subarray(i + (kind <= 1 ? 1 : 2), valid ? i + length : bytes.length) });
    if (!valid) break;
    i += length;
  }
  return options;
}

function decodeUdp(bytes: Uint8Array, view: DataView, at: number, end: number, quoted: boolean): LiveUdp | undefined {
  if (end - at < 8) return undefined;
  const sum = view.getUint16(at + 6);
  return {
    sourcePort: view.getUint16(at),
    destinationPort: view.getUint16(at + 2),
    payloadBytes: view.getUint16(at + 4) - 8,
    checksumOk:
      quoted || sum === 0 || internetSum(bytes, at, end, pseudoHeaderSum(bytes, PROTOCOL_UDP, end - at)) === 0xffff,
  };
}

function decodeIcmp(bytes: Uint8Array, view: DataView, at: number, end: number, us: number): LiveIcmp | undefined {
  if (end - at < 8) return undefined;
  const type = bytes[at]!;
  const isError = type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
  return {
    type,
    code: bytes[at + 1]!,
    checksumOk: internetSum(bytes, at, end) === 0xffff,
    id: view.getUint16(at + 4),
    mtu: view.getUint16(at + 6),
    quoted: isError ? decode(bytes.subarray(at + 8, end), us, true) : undefined,
    payloadBytes: end - at - 8,
  };
}
