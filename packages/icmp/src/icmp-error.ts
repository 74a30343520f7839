/** Errors that came: what they say, and about which packet of ours. */
import type { Memory } from '@qanat/bytes';
import * as ipv4 from '@qanat/ipv4';
import * as wire from './wire.ts';

/** Transport bytes that every error quotes (RFC 792): the ports, and TCP's sequence number. */
export const QUOTED_TRANSPORT_BYTES = 8;

/** One received error. The object is reused: copy what shall outlive the call. */
export class IcmpError {
  type = 0;
  code = 0;
  /** Next-hop MTU of "fragmentation needed" (RFC 1191); 0 where an old router does not say. */
  mtu = 0;
  /** Offset of the offending byte of a parameter problem. */
  pointer = 0;
  /** Who sent the error. */
  from = 0;
  /** Of the quoted packet: its protocol, source (one of our addresses) and destination. */
  protocol = 0;
  src = 0;
  dst = 0;
  /** Total length and ID that the quoted packet claims. */
  totalLength = 0;
  id = 0;
  /** Address of the quoted transport header, good until the call returns, and how much of it is there: 8 or more. */
  transportAddr = 0;
  transportBytes = 0;

  /**
   * Reads the error message at `addr`, whose type is an error's and whose checksum is right.
   * @param bytes contiguous at `addr`. @param from, to source and destination of the IP packet it came in.
   * @returns whether it quotes the head of a packet that `to` sent.
   */
  parse(memory: Memory, addr: number, bytes: number, from: number, to: number): boolean {
    const quoted = addr + wire.ICMP_HEADER_BYTES;
    const quotedBytes = bytes - wire.ICMP_HEADER_BYTES;
    if (quotedBytes < ipv4.IPV4_HEADER_BYTES + QUOTED_TRANSPORT_BYTES) return false;
    if (ipv4.getVersion(memory, quoted) !== 4) return false;
    const headerBytes = ipv4.getHeaderBytes(memory, quoted);
    if (headerBytes < ipv4.IPV4_HEADER_BYTES || quotedBytes < headerBytes + QUOTED_TRANSPORT_BYTES) return false;
    // A later fragment has no ports in it.
    if (ipv4.getFragmentOffset(memory, quoted) !== 0) return false;
    if (ipv4.getSrc(memory, quoted) !== to) return false;
    this.type = wire.getType(memory, addr);
    this.code = wire.getCode(memory, addr);
    const needsFragmentation =
      this.type === wire.ICMP_UNREACHABLE && this.code === wire.UNREACHABLE_FRAGMENTATION_NEEDED;
    this.mtu = needsFragmentation ? wire.getMtu(memory, addr) : 0;
    this.pointer = this.type === wire.ICMP_PARAMETER_PROBLEM ? wire.getPointer(memory, addr) : 0;
    this.from = from;
    this.protocol = ipv4.getProtocol(memory, quoted);
    this.src = to;
    this.dst = ipv4.getDst(memory, quoted);
    this.totalLength = ipv4.getTotalLength(memory, quoted);
    this.id = ipv4.getId(memory, quoted);
    this.transportAddr = quoted + headerBytes;
    this.transportBytes = quotedBytes - headerBytes;
    return true;
  }

  /** What an application is told, in errno's words. */
  get errno(): IcmpErrno {
    if (this.type === wire.ICMP_UNREACHABLE) return UNREACHABLE_ERRNO[this.code] ?? 'EHOSTUNREACH';
    return this.type === wire.ICMP_PARAMETER_PROBLEM ? 'EPROTO' : 'EHOSTUNREACH';
  }

  /**
   * Whether trying again is pointless (RFC 1122 section 4.2.3.9 for protocol and port; Linux for the later codes).
   * "Fragmentation needed" is not: the sender has a path MTU to learn.
   */
  get hard(): boolean {
    if (this.type === wire.ICMP_PARAMETER_PROBLEM) return true;
    return this.type === wire.ICMP_UNREACHABLE && ((HARD_CODES >>> this.code) & 1) === 1 && this.code < 16;
  }
}

/** Bit n: code n of ICMP_UNREACHABLE. */
const HARD_CODES = 0b1110_0111_1100_1100;

export type IcmpErrno =
  | 'ENETUNREACH'
  | 'EHOSTUNREACH'
  | 'ENOPROTOOPT'
  | 'ECONNREFUSED'
  | 'EMSGSIZE'
  | 'EOPNOTSUPP'
  | 'EHOSTDOWN'
  | 'ENONET'
  | 'EPROTO';

/** By code of ICMP_UNREACHABLE, as Linux reports them (icmp(7), ip(7)). */
const UNREACHABLE_ERRNO: readonly IcmpErrno[] = [
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENOPROTOOPT',
  'ECONNREFUSED',
  'EMSGSIZE',
  'EOPNOTSUPP',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ENONET',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'EHOSTUNREACH',
  'EHOSTUNREACH',
  'EHOSTUNREACH',
];
