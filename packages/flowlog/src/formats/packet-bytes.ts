/** A segment of the log as an Ethernet frame: the headers as they were on the wire, the payload left out. */
import { EVENT_SYN_OPTIONS, SYN_RX, SYN_SACK_PERMITTED, SYN_SHIFT_MASK, SYN_WINDOW_SCALE } from '../kinds.ts';
import { hasTimestamps, isReceived, sackBlocks, segmentFlags } from '../segment-info.ts';
import type { FlowTrace } from '../trace.ts';

const ETHERNET_BYTES = 14;
const IPV4_BYTES = 20;
const TCP_BYTES = 20;
const MAX_OPTION_BYTES = 40;
/** Most bytes that `PacketBytes.write` writes. */
export const MAX_HEADER_BYTES = ETHERNET_BYTES + IPV4_BYTES + TCP_BYTES + MAX_OPTION_BYTES;

const FLAG_SYN = 0x02;
const MAX_IPV4_BYTES = 0xffff;
const PROTOCOL_TCP = 6;
/** Without an option of that name a window is not shifted. */
const NO_SHIFT = -1;

/** What a SYN or SYN-ACK offered. */
interface SynOptions {
  readonly mss: number;
  readonly shift: number;
  readonly sackPermitted: boolean;
}

/** Makes the packets of one flow. */
export class PacketBytes {
  /** Of the packet written last: bytes written, and bytes that the whole frame had. */
  capturedBytes = 0;
  originalBytes = 0;
  readonly #flow: FlowTrace;
  /** By direction: 0 sent, 1 received. */
  readonly #heads: readonly [Uint32Array, Uint32Array];
  readonly #ipSums: readonly [number, number];
  readonly #pseudoSum: number;
  readonly #syn: readonly [SynOptions, SynOptions];
  #nextSack = 0;

  constructor(flow: FlowTrace) {
    this.#flow = flow;
    const { localAddress, localPort, remoteAddress, remotePort } = flow;
    const sent = head(localAddress, localPort, remoteAddress, remotePort);
    const received = head(remoteAddress, remotePort, localAddress, localPort);
    this.#heads = [wordsOf(sent), wordsOf(received)];
    const ipSum = sum16(sent, ETHERNET_BYTES, ETHERNET_BYTES + IPV4_BYTES);
    this.#ipSums = [ipSum, ipSum];
    // Addresses, protocol, ports: the same for both directions.
    this.#pseudoSum = sum16(sent, ETHERNET_BYTES + 12, ETHERNET_BYTES + IPV4_BYTES + 4) + PROTOCOL_TCP;
    this.#syn = [synOptions(flow, false), synOptions(flow, true)];
  }

  /**
   * Writes the headers of a segment; rows are asked for in their order.
   * @param at where in `to`; MAX_HEADER_BYTES must fit.
   * @param view of the same bytes.
   */
  write(to: Uint8Array, view: DataView, at: number, row: number): void {
    const { segments } = this.#flow;
    const info = segments.info[row]!;
    const direction = isReceived(info) ? 1 : 0;
    const flags = segmentFlags(info);
    const bytes = segments.bytes[row]!;
    const head = this.#heads[direction];
    // The last word is not whole: what it writes beyond the head is written again.
    for (let i = 0; i < head.length; i++) view.setUint32(at + 4 * i, head[i]!, true);
    const tcp = at + ETHERNET_BYTES + IPV4_BYTES;
    let end = tcp + TCP_BYTES;
    if (flags & FLAG_SYN) end = this.#synOptions(to, end, row, direction);
    else {
      if (hasTimestamps(info)) {
        to[end] = 1;
        to[end + 1] = 1;
        end = this.#timestamps(to, end + 2, row);
      }
      if (sackBlocks(info) > 0) end = this.#sacks(to, end, row, Math.floor((MAX_OPTION_BYTES - (end - tcp - 24)) / 8));
    }
    const tcpBytes = end - tcp;
    const seq = segments.seq[row]!;
    const ack = segments.ack[row]!;
    const lengthAndFlags = (tcpBytes << 10) | flags;
    const window = segments.window[row]! & 0xffff;
    view.setInt32(tcp + 4, seq);
    view.setInt32(tcp + 8, ack);
    view.setUint16(tcp + 12, lengthAndFlags);
    view.setUint16(tcp + 14, window);
    // An offloaded segment with its headers may be longer than IPv4 can say: then 0, as Linux captures show it.
    const ipBytes = IPV4_BYTES + tcpBytes + bytes;
    const totalLength = ipBytes > MAX_IPV4_BYTES ? 0 : ipBytes;
    view.setUint16(at + ETHERNET_BYTES + 2, totalLength);
    view.setUint16(at + ETHERNET_BYTES + 10, ~fold(this.#ipSums[direction] + totalLength));
    // The payload is not known and counts as zeros: right for every packet that has none.
    let sum = this.#pseudoSum + ((tcpBytes + bytes) & 0xffff) + ((tcpBytes + bytes) >>> 16);
    sum += (seq >>> 16) + (seq & 0xffff) + (ack >>> 16) + (ack & 0xffff) + lengthAndFlags + window;
    if (end > tcp + TCP_BYTES) sum += sum16(to, tcp + TCP_BYTES, end);
    view.setUint16(tcp + 16, ~fold(sum));
    this.capturedBytes = end - at;
    this.originalBytes = this.capturedBytes + bytes;
  }

  #synOptions(to: Uint8Array, end: number, row: number, direction: number): number {
    const { mss, shift, sackPermitted } = this.#syn[direction]!;
    if (mss > 0) {
      to[end] = 2;
      to[end + 1] = 4;
      put16(to, end + 2, mss);
      end += 4;
    }
    const stamps = hasTimestamps(this.#flow.segments.info[row]!);
    if (sackPermitted || stamps) {
      to[end] = sackPermitted ? 4 : 1;
      to[end + 1] = sackPermitted ? 2 : 1;
      end += 2;
      if (stamps) end = this.#timestamps(to, end, row);
      else {
        to[end++] = 1;
        to[end++] = 1;
      }
    }
    if (shift !== NO_SHIFT) {
      to[end] = 1;
      to[end + 1] = 3;
      to[end + 2] = 3;
      to[end + 3] = shift;
      end += 4;
    }
    return end;
  }

  #timestamps(to: Uint8Array, end: number, row: number): number {
    const { segments } = this.#flow;
    to[end] = 8;
    to[end + 1] = 10;
    put32(to, end + 2, segments.tsVal[row]!);
    put32(to, end + 6, segments.tsEcr[row]!);
    return end + 10;
  }

  #sacks(to: Uint8Array, end: number, row: number, most: number): number {
    const { sacks, firstSegment } = this.#flow;
    const wanted = firstSegment + row;
    while (this.#nextSack < sacks.rows && sacks.segment[this.#nextSack]! < wanted) this.#nextSack++;
    let block = end + 4;
    for (let i = 0; i < most && this.#nextSack < sacks.rows && sacks.segment[this.#nextSack] === wanted; i++) {
      put32(to, block, sacks.left[this.#nextSack]!);
      put32(to, block + 4, sacks.right[this.#nextSack++]!);
      block += 8;
    }
    if (block === end + 4) return end;
    to[end] = 1;
    to[end + 1] = 1;
    to[end + 2] = 5;
    to[end + 3] = block - end - 2;
    return block;
  }
}

/** What does not change in the packets of a direction: Ethernet, IPv4 and the ports. */
function head(from: number, fromPort: number, to: number, toPort: number): Uint8Array {
  const bytes = new Uint8Array(ETHERNET_BYTES + IPV4_BYTES + TCP_BYTES);
  // Addresses that nobody else has: locally administered, and made of the IPv4 address.
  bytes[0] = bytes[6] = 0x02;
  put32(bytes, 2, to);
  put32(bytes, 8, from);
  bytes[12] = 0x08;
  const ip = ETHERNET_BYTES;
  bytes[ip] = 0x45;
  bytes[ip + 6] = 0x40;
  bytes[ip + 8] = 64;
  bytes[ip + 9] = PROTOCOL_TCP;
  put32(bytes, ip + 12, from);
  put32(bytes, ip + 16, to);
  put16(bytes, ip + IPV4_BYTES, fromPort);
  put16(bytes, ip + IPV4_BYTES + 2, toPort);
  return bytes;
}

/** @returns the bytes in words of four, little-endian, filled up with zeros. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(Math.ceil(bytes.length / 4));
  bytes.forEach((byte, index) => {
    words[index >> 2]! |= byte << (8 * (index & 3));
  });
  return words;
}

/** From the event that tells them, else from what else is known. */
function synOptions(flow: FlowTrace, received: boolean): SynOptions {
  const { events, sacks, segments } = flow;
  for (let row = 0; row < events.rows; row++) {
    if (events.kind[row] !== EVENT_SYN_OPTIONS) continue;
    const bits = events.b[row]!;
    if (((bits & SYN_RX) !== 0) !== received) continue;
    return {
      mss: events.a[row]!,
      shift: bits & SYN_WINDOW_SCALE ? bits & SYN_SHIFT_MASK : NO_SHIFT,
      sackPermitted: (bits & SYN_SACK_PERMITTED) !== 0,
    };
  }
  const hasStamps = segments.rows > 0 && hasTimestamps(segments.info[segments.rows - 1]!);
  const shift = received ? flow.sndShift : flow.rcvShift;
  const mss = flow.mss === 0 ? 0 : flow.mss + (hasStamps ? 12 : 0);
  return { mss, shift: shift ?? NO_SHIFT, sackPermitted: sacks.rows > 0 };
}

/** Sum of 16-bit words; `from`..`to` is an even number of bytes. */
function sum16(bytes: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at < to; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!;
  return sum;
}

function fold(sum: number): number {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

function put16(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 8;
  to[at + 1] = value;
}

function put32(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 24;
  to[at + 1] = value >>> 16;
  to[at + 2] = value >>> 8;
  to[at + 3] = value;
}
