/**
 * A trace as pcapng (draft-ietf-opsawg-pcapng), little-endian, stamps in nanoseconds. Segments become packets of which only
 * the headers were captured; the original length is true. What the stack did stands in comments (opt_comment) of the
 * packet that followed. Packets of a capture are kept as they were.
 */
import { isReceived } from '../segment-info.ts';
import { areTwoEnds, type CapturedFrames, type FlowTrace, type Trace } from '../trace.ts';
import { ByteWriter } from './byte-writer.ts';
import { flowsToWrite, sentBytes, type WriteOptions } from './format.ts';
import { MAX_HEADER_BYTES, PacketBytes } from './packet-bytes.ts';
import { ROW_EVENT, ROW_SEGMENT, ROW_WINDOW, RowMerge } from './row-merge.ts';
import { SegmentComments } from './segment-comments.ts';

const BLOCK_SECTION_HEADER = 0x0a0d_0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b_3c4d;
const LINKTYPE_ETHERNET = 1;
const OPTION_COMMENT = 1;
const OPTION_INTERFACE_NAME = 2;
const OPTION_APPLICATION = 4;
const OPTION_TIME_RESOLUTION = 9;
const OPTION_PACKET_FLAGS = 2;
const NANOSECONDS = 9;
const INBOUND = 1;
const OUTBOUND = 2;
const MAX_NAME = 1000;
const TWO_TO_32 = 0x1_0000_0000;
/** Of a packet block beside the packet and its comment: head 28, flags 8, end of options 4, length 4. */
const PACKET_BLOCK_BYTES = 44;

/** Writes the chosen flows; of a connection of which both ends were recorded only one, see `flowsToShow`. */
export function* writePcapng(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const out = new ByteWriter();
  sectionHeader(out);
  if (trace.frames !== undefined && options.flows === undefined) yield* capturedFrames(out, trace, trace.frames);
  else yield* segments(out, trace, options);
  if (out.used > 0) yield out.take();
}

/**
 * The flows whose packets are written when none are chosen. Of the two ends of one connection it is the one that sent
 * more: in one file each packet would be there twice, and Wireshark would take the second for a retransmission.
 */
export function flowsToShow(flows: readonly FlowTrace[]): readonly FlowTrace[] {
  const byAddress = new Map<string, FlowTrace[]>();
  for (const flow of flows) {
    const key = addressKey(flow.localAddress, flow.localPort, flow.remoteAddress, flow.remotePort);
    byAddress.set(key, [...(byAddress.get(key) ?? []), flow]);
  }
  return flows.filter((flow) => {
    const key = addressKey(flow.remoteAddress, flow.remotePort, flow.localAddress, flow.localPort);
    const others = (byAddress.get(key) ?? []).filter((other) => areTwoEnds(flow, other) && overlap(flow, other));
    const sent = sentBytes(flow);
    return others.every((other) => {
      const otherSent = sentBytes(other);
      return otherSent < sent || (otherSent === sent && flow.id < other.id);
    });
  });
}

function addressKey(local: number, localPort: number, remote: number, remotePort: number): string {
  return `${local}:${localPort}-${remote}:${remotePort}`;
}

/** Whether the two were recorded at the same time: a port may serve several connections, one after the other. */
function overlap(a: FlowTrace, b: FlowTrace): boolean {
  if (a.segments.rows === 0 || b.segments.rows === 0) return true;
  const last = ({ segments }: FlowTrace) => segments.timeUs[segments.rows - 1]!;
  return a.segments.timeUs[0]! <= last(b) && b.segments.timeUs[0]! <= last(a);
}

function* segments(out: ByteWriter, trace: Trace, options: WriteOptions): Generator<Uint8Array> {
  const chosen = flowsToWrite(trace, options);
  const flows = options.flows === undefined ? flowsToShow(chosen) : chosen;
  // One interface for each source that has a flow here.
  const sources = [...new Set(flows.map((flow) => flow.source))];
  for (const id of sources) {
    interfaceBlock(out, LINKTYPE_ETHERNET, trace.sources.find((source) => source.id === id)?.name ?? `source ${id}`);
  }
  const interfaces = flows.map((flow) => sources.indexOf(flow.source));
  const packets = flows.map((flow) => new PacketBytes(flow));
  const comments = flows.map((flow) => new SegmentComments(flow));
  const epochUs = trace.clock.unixEpochUs ?? 0;
  const rows = new RowMerge(flows, (1 << ROW_SEGMENT) | (1 << ROW_WINDOW) | (1 << ROW_EVENT));
  const ahead = flows.map(() => 0);
  while (rows.next()) {
    const { owner, row } = rows;
    const flow = flows[owner]!;
    const comment = comments[owner]!;
    if (rows.kind !== ROW_SEGMENT) {
      // After the last segment everything has been told with it.
      if (ahead[owner] === 1) continue;
      if (rows.kind === ROW_WINDOW) comment.window(row);
      else comment.event(row);
      continue;
    }
    if (row + 1 === flow.segments.rows) {
      tellTheRest(flow, comment, flow.segments.timeUs[row]!, flow.segments.order[row]!);
      ahead[owner] = 1;
    }
    if (out.isFull) yield out.take();
    const packet = packets[owner]!;
    const direction = isReceived(flow.segments.info[row]!) ? INBOUND : OUTBOUND;
    const start = beginPacket(out, interfaces[owner]!, epochUs, flow.segments.timeUs[row]!);
    packet.write(out.bytes, out.view, out.used, row);
    out.used += packet.capturedBytes;
    endPacket(out, start, packet.capturedBytes, packet.originalBytes, direction, comment.take(row));
  }
}

/** What came after the last segment is told with it. */
function tellTheRest(flow: FlowTrace, comments: SegmentComments, timeUs: number, order: number): void {
  const { events } = flow;
  for (let row = 0; row < events.rows; row++) {
    const later = events.timeUs[row]! - timeUs;
    if (later > 0 || (later === 0 && ((events.order[row]! - order) | 0) > 0)) comments.event(row);
  }
}

function* capturedFrames(out: ByteWriter, trace: Trace, frames: CapturedFrames): Generator<Uint8Array> {
  const epochUs = trace.clock.unixEpochUs ?? 0;
  const linkTypes = [...new Set(frames.linkType.subarray(0, frames.rows))];
  for (const linkType of linkTypes) interfaceBlock(out, linkType, '');
  const comments = trace.flows.map((flow) => new SegmentComments(flow));
  for (let row = 0; row < frames.rows; row++) {
    if (out.isFull) yield out.take();
    const captured = frames.capturedBytes[row]!;
    const offset = frames.offset[row]!;
    const iface = linkTypes.indexOf(frames.linkType[row]!);
    const comment = comments[frames.flow[row]!]?.take(frames.segment[row]!) ?? '';
    const start = beginPacket(out, iface, epochUs, frames.timeUs[row]!);
    out.raw(frames.bytes.subarray(offset, offset + captured));
    out.reserve(PACKET_BLOCK_BYTES);
    endPacket(out, start, captured, frames.originalBytes[row]!, 0, comment);
  }
}

function sectionHeader(out: ByteWriter): void {
  const start = beginBlock(out, BLOCK_SECTION_HEADER);
  out.u32le(BYTE_ORDER_MAGIC);
  out.u16le(1);
  out.u16le(0);
  // The section's length is not known: -1.
  out.u32le(-1);
  out.u32le(-1);
  option(out, OPTION_APPLICATION, 'Qanat');
  out.u32le(0);
  endBlock(out, start);
}

function interfaceBlock(out: ByteWriter, linkType: number, name: string): void {
  out.reserve(4 * MAX_NAME + 64);
  const start = beginBlock(out, BLOCK_INTERFACE);
  out.u16le(linkType);
  out.u16le(0);
  out.u32le(0);
  if (name !== '') option(out, OPTION_INTERFACE_NAME, name.slice(0, MAX_NAME));
  out.u16le(OPTION_TIME_RESOLUTION);
  out.u16le(1);
  out.u32le(NANOSECONDS);
  out.u32le(0);
  endBlock(out, start);
}

/** @returns where the block begins; `endPacket` gives the lengths. */
function beginPacket(out: ByteWriter, iface: number, epochUs: number, timeUs: number): number {
  out.reserve(PACKET_BLOCK_BYTES + MAX_HEADER_BYTES + 8);
  const start = out.used;
  out.u32le(BLOCK_ENHANCED_PACKET);
  out.u32le(0);
  out.u32le(iface);
  // 64 bits of nanoseconds without BigInt: the halves of the microseconds times 1000, with the carry; all exact.
  const us = Math.floor(timeUs);
  const absoluteUs = Math.max(0, us + epochUs);
  const highUs = Math.floor(absoluteUs / TWO_TO_32);
  const low = (absoluteUs - highUs * TWO_TO_32) * 1000 + Math.round((timeUs - us) * 1000);
  out.u32le(highUs * 1000 + Math.floor(low / TWO_TO_32));
  out.u32le(low % TWO_TO_32);
  out.used += 8;
  return start;
}

/** The lengths, and what follows the bytes of the packet. */
function endPacket(
  out: ByteWriter,
  start: number,
  capturedBytes: number,
  originalBytes: number,
  direction: number,
  comment: string,
): void {
  put32le(out, start + 20, capturedBytes);
  put32le(out, start + 24, originalBytes);
  pad(out, capturedBytes);
  if (comment !== '') option(out, OPTION_COMMENT, comment);
  out.u16le(OPTION_PACKET_FLAGS);
  out.u16le(4);
  out.u32le(direction);
  out.u32le(0);
  endBlock(out, start);
}

/** @returns where the block begins. */
function beginBlock(out: ByteWriter, type: number): number {
  out.reserve(64);
  const start = out.used;
  out.u32le(type);
  out.u32le(0);
  return start;
}

/** Writes the block's length at both its ends. */
function endBlock(out: ByteWriter, start: number): void {
  const length = out.used - start + 4;
  out.u32le(length);
  put32le(out, start + 4, length);
}

/** An option of text; makes its own room, and leaves some for what follows. */
function option(out: ByteWriter, code: number, text: string): void {
  out.reserve(8);
  out.u16le(code);
  const at = out.used;
  out.u16le(0);
  out.text(text);
  out.reserve(64);
  const length = out.used - at - 2;
  out.bytes[at] = length;
  out.bytes[at + 1] = length >>> 8;
  pad(out, length);
}

function pad(out: ByteWriter, length: number): void {
  for (let i = length; (i & 3) !== 0; i++) out.byte(0);
}

function put32le(out: ByteWriter, at: number, value: number): void {
  const { bytes } = out;
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
