import type { IcmpBody, IpInfo, PacketAction, TcpBody, TcpOption } from '../ast.ts';
import { TCP_FLAG } from '../ast.ts';
import { internetSum, pseudoHeaderSum } from './checksum.ts';
import { PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from './decode.ts';
import type { ConnectionMap } from './mapping.ts';

/** A line that cannot be made into a packet. */
export class EncodeError extends Error {}

export interface Endpoints {
  /** Host order, int32. */
  readonly localAddress: number;
  readonly remoteAddress: number;
  readonly localPort: number;
  readonly remotePort: number;
}

export interface EncodeOptions {
  /** --tcp_ts_ecr_scaled */
  readonly scaledEcr: boolean;
  /** What the script's socket speaks: the quoted packet of an ICMP error that says nothing else. */
  readonly protocol: number;
}

const IP_BYTES = 20;
const MAX_PACKET_BYTES = 65535;
const ECN_BITS: Readonly<Record<string, number>> = { noecn: 0, ect1: 1, ect01: 2, ect0: 2, ce: 3 };
const INBOUND_TTL = 255;

/**
 * Makes the IPv4 packet of an inbound line, from the remote to the local address: checksums filled in, TTL 255, no DF,
 * identification 0, payload all zero; one packet however large (no fragments).
 * @throws EncodeError when it is larger than 65535 bytes, the options do not fill words, or a TSecr was never sent.
 */
export function encodeInbound(
  action: PacketAction,
  map: ConnectionMap,
  endpoints: Endpoints,
  options: EncodeOptions,
): Uint8Array {
  const { body } = action;
  switch (body.kind) {
    case 'tcp':
      return withIp(action.ip, PROTOCOL_TCP, endpoints, encodeTcp(body, map, endpoints, options));
    case 'udp':
      return withIp(action.ip, PROTOCOL_UDP, endpoints, encodeUdp(body.payloadBytes, endpoints));
    case 'icmp':
      return withIp(action.ip, PROTOCOL_ICMP, endpoints, encodeIcmp(body, map, endpoints, options));
  }
}

function withIp(ip: IpInfo, protocol: number, endpoints: Endpoints, transport: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(IP_BYTES + transport.length);
  if (bytes.length > MAX_PACKET_BYTES) {
    throw new EncodeError(`a packet of ${bytes.length} bytes is too large: IPv4 carries at most ${MAX_PACKET_BYTES}`);
  }
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x45;
  bytes[1] = ip.tos ?? (ip.ecn === undefined ? 0 : ECN_BITS[ip.ecn]!);
  view.setUint16(2, bytes.length);
  bytes[8] = ip.ttl ?? INBOUND_TTL;
  bytes[9] = protocol;
  view.setInt32(12, endpoints.remoteAddress);
  view.setInt32(16, endpoints.localAddress);
  view.setUint16(10, ~internetSum(bytes, 0, IP_BYTES) & 0xffff);
  bytes.set(transport, IP_BYTES);
  if (protocol !== PROTOCOL_ICMP) {
    const at = IP_BYTES + (protocol === PROTOCOL_TCP ? 16 : 6);
    const pseudo = pseudoHeaderSum(bytes, protocol, transport.length);
    const sum = ~internetSum(bytes, IP_BYTES, bytes.length, pseudo) & 0xffff;
    view.setUint16(at, protocol === PROTOCOL_UDP && sum === 0 ? 0xffff : sum);
  }
  return bytes;
}

function encodeTcp(body: TcpBody, map: ConnectionMap, endpoints: Endpoints, options: EncodeOptions): Uint8Array {
  const syn = (body.flags & TCP_FLAG.SYN) !== 0;
  const hasAck = (body.flags & TCP_FLAG.ACK) !== 0;
  const optionBytes = encodeOptions(body.options === 'any' ? [] : body.options, map, syn, hasAck, options.scaledEcr);
  const bytes = new Uint8Array(20 + optionBytes.length + body.payloadBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, endpoints.remotePort);
  view.setUint16(2, endpoints.localPort);
  view.setUint32(4, map.inboundSeq(body.seq, syn));
  view.setUint32(8, hasAck ? map.inboundAck(body.ack ?? 0, syn) : (body.ack ?? 0));
  view.setUint16(12, ((20 + optionBytes.length) << 10) | body.flags);
  view.setUint16(14, body.window ?? 0);
  view.setUint16(18, body.urgent ?? 0);
  bytes.set(optionBytes, 20);
  return bytes;
}

/** The options as they stand, no padding added. */
function encodeOptions(
  list: readonly TcpOption[],
  map: ConnectionMap,
  syn: boolean,
  hasAck: boolean,
  scaledEcr: boolean,
): Uint8Array {
  const out: number[] = [];
  const u32 = (value: number): void => {
    out.push((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  };
  for (const option of list) {
    switch (option.kind) {
      case 'eol':
        out.push(0);
        break;
      case 'nop':
        out.push(1);
        break;
      case 'mss':
        out.push(2, 4, option.value >> 8, option.value & 255);
        break;
      case 'wscale':
        out.push(3, 3, option.value);
        break;
      case 'sackOK':
        out.push(4, 2);
        break;
      case 'sack':
        out.push(5, 2 + 8 * option.blocks.length);
        for (const { left, right } of option.blocks) {
          u32(map.inboundAck(left, syn));
          u32(map.inboundAck(right, syn));
        }
        break;
      case 'TS': {
        const ecr = hasAck ? map.timestamps.toLive(option.ecr, scaledEcr) : option.ecr;
        if (ecr === undefined)
          throw new EncodeError(`no outbound packet had the timestamp ${option.ecr}: it cannot be echoed`);
        out.push(8, 10);
        u32(option.val);
        u32(ecr);
        break;
      }
      case 'FO':
        out.push(34, 2 + option.cookie.length, ...option.cookie);
        break;
      case 'FOEXP':
        out.push(254, 4 + option.cookie.length, 0xf9, 0x89, ...option.cookie);
        break;
      case 'md5':
        out.push(19, 2 + option.digest.length, ...option.digest);
        break;
      case 'ECN':
        out.push(option.counters[0]?.name === 'e1b' ? 174 : 172, 2 + 3 * option.counters.length);
        for (const { value } of option.counters) out.push((value >> 16) & 255, (value >> 8) & 255, value & 255);
        break;
    }
  }
  if (out.length % 4 !== 0)
    throw new EncodeError(`the TCP options take ${out.length} bytes: pad them with nop to a multiple of 4`);
  if (out.length > 40) throw new EncodeError(`the TCP options take ${out.length} bytes: at most 40 fit`);
  return Uint8Array.from(out);
}

function encodeUdp(payloadBytes: number, endpoints: Endpoints): Uint8Array {
  const bytes = new Uint8Array(8 + payloadBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, endpoints.remotePort);
  view.setUint16(2, endpoints.localPort);
  view.setUint16(4, bytes.length & 0xffff);
  return bytes;
}

function encodeIcmp(body: IcmpBody, map: ConnectionMap, endpoints: Endpoints, options: EncodeOptions): Uint8Array {
  const isEcho = body.type === 0 || body.type === 8;
  const quoted = isEcho ? new Uint8Array(body.quoted?.payloadBytes ?? 0) : quotedPacket(body, map, endpoints, options);
  const bytes = new Uint8Array(8 + quoted.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = body.type;
  bytes[1] = body.code;
  if (body.id !== undefined) view.setUint16(4, body.id);
  if (body.mtu !== undefined) view.setUint16(6, body.mtu);
  bytes.set(quoted, 8);
  view.setUint16(2, ~internetSum(bytes, 0, bytes.length) & 0xffff);
  return bytes;
}

/** The packet of ours that an ICMP error quotes: its IP header and eight bytes. */
function quotedPacket(body: IcmpBody, map: ConnectionMap, endpoints: Endpoints, options: EncodeOptions): Uint8Array {
  const { quoted } = body;
  const isTcp = quoted ? quoted.kind === 'tcp' : options.protocol === PROTOCOL_TCP;
  const payloadBytes = quoted?.payloadBytes ?? 0;
  const bytes = new Uint8Array(IP_BYTES + 8);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x45;
  view.setUint16(2, Math.min(IP_BYTES + (isTcp ? 20 : 8) + payloadBytes, 0xffff));
  bytes[8] = 64;
  bytes[9] = isTcp ? PROTOCOL_TCP : PROTOCOL_UDP;
  view.setInt32(12, endpoints.localAddress);
  view.setInt32(16, endpoints.remoteAddress);
  view.setUint16(10, ~internetSum(bytes, 0, IP_BYTES) & 0xffff);
  view.setUint16(IP_BYTES, endpoints.localPort);
  view.setUint16(IP_BYTES + 2, endpoints.remotePort);
  if (isTcp) view.setUint32(IP_BYTES + 4, map.inboundAck(quoted?.kind === 'tcp' ? quoted.seq : 0, false));
  else view.setUint16(IP_BYTES + 4, 8 + payloadBytes);
  return bytes;
}
