import type { Memory } from '@qanat/bytes';
import { ParsedOptions } from './options.ts';
import {
  FIN,
  headerBytes,
  SYN,
  TCP_ACK,
  TCP_DST_PORT,
  TCP_OFFSET_FLAGS,
  TCP_SEQ,
  TCP_SRC_PORT,
  TCP_URGENT,
  TCP_WINDOW,
} from './wire.ts';

/** The segment that is being processed, read out of the packet once. One object serves a whole stack. */
export class Segment {
  src = 0;
  dst = 0;
  srcPort = 0;
  dstPort = 0;
  /** SEG.SEQ (int32). */
  seq = 0;
  /** SEG.ACK (int32). */
  ack = 0;
  flags = 0;
  /** The window field as it stands, unscaled. */
  window = 0;
  /** The urgent pointer as it stands. */
  urgent = 0;
  /** Bytes from the start of the TCP header to the payload. */
  dataOffset = 0;
  /** Payload bytes. */
  bytes = 0;
  /** SEG.LEN: payload, SYN and FIN. */
  len = 0;
  arrivedUs = 0;
  /** TOS byte of the packet it came in. */
  tos = 0;
  readonly options = new ParsedOptions();

  /** Reads a segment of `length` bytes with its header at `addr`; the caller has checked `headerFits`. */
  parse(memory: Memory, addr: number, length: number, src: number, dst: number, tos: number, arrivedUs: number): void {
    const view = memory.view;
    this.src = src;
    this.dst = dst;
    this.srcPort = view.getUint16(addr + TCP_SRC_PORT);
    this.dstPort = view.getUint16(addr + TCP_DST_PORT);
    this.seq = view.getInt32(addr + TCP_SEQ);
    this.ack = view.getInt32(addr + TCP_ACK);
    const flags = view.getUint16(addr + TCP_OFFSET_FLAGS) & 0x1ff;
    this.flags = flags;
    this.window = view.getUint16(addr + TCP_WINDOW);
    this.urgent = view.getUint16(addr + TCP_URGENT);
    const header = headerBytes(memory, addr);
    this.dataOffset = header;
    this.bytes = length - header;
    this.len = this.bytes + (flags & (SYN | FIN) ? (flags & SYN ? 1 : 0) + (flags & FIN) : 0);
    this.arrivedUs = arrivedUs;
    this.tos = tos;
    this.options.parse(memory, addr, header);
  }
}
