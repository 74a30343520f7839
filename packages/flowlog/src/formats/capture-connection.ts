import {
  EVENT_SYN_OPTIONS,
  SYN_RX,
  SYN_SACK_PERMITTED,
  SYN_SHIFT_MASK,
  SYN_TIMESTAMPS,
  SYN_WINDOW_SCALE,
} from '../kinds.ts';
import { SEGMENT_RX, segmentInfo } from '../segment-info.ts';
import { EventTableBuilder, SackTableBuilder, SegmentTableBuilder } from '../table-builders.ts';
import { type FlowTrace, flowDescriptor, flowTrace } from '../trace.ts';
import { RetransmissionJudge } from './retransmission-judge.ts';
import type { TcpPacket } from './tcp-packet.ts';

const FLAG_SYN = 0x02;
const FLAG_ACK = 0x10;
const TIMESTAMPS_BYTES = 12;
const FIRST_ROWS = 4;

/** What one end said in its SYN. */
interface Opening {
  readonly iss: number;
  readonly mss: number;
  /** -1: none. */
  readonly shift: number;
  readonly timestamps: boolean;
  /** SYN without ACK. */
  readonly active: boolean;
}

/** A connection of a capture. Sides are 0, who sent the first packet that was seen, and 1. */
export class CaptureConnection {
  readonly segments = new SegmentTableBuilder(FIRST_ROWS);
  readonly #sacks = new SackTableBuilder(FIRST_ROWS);
  readonly #events = new EventTableBuilder(FIRST_ROWS);
  readonly #judge = new RetransmissionJudge();
  readonly #openings: [Opening | undefined, Opening | undefined] = [undefined, undefined];
  /** Payload that each side sent. */
  readonly #sent: [number, number] = [0, 0];
  /** The side whose packets the capture calls outbound, -1 when it does not tell. */
  #outbound = -1;
  readonly #address: number;
  readonly #port: number;
  readonly #peerAddress: number;
  readonly #peerPort: number;
  readonly #startUs: number;

  constructor(packet: TcpPacket, timeUs: number) {
    this.#address = packet.sourceAddress;
    this.#port = packet.sourcePort;
    this.#peerAddress = packet.destinationAddress;
    this.#peerPort = packet.destinationPort;
    this.#startUs = timeUs;
  }

  /** @returns 0 or 1: who sent the packet. */
  sideOf(packet: TcpPacket): number {
    const first = packet.sourceAddress === this.#address && packet.sourcePort === this.#port;
    return first ? 0 : 1;
  }

  /** Whether a SYN begins another connection between the same ports. */
  isReopenedBy(packet: TcpPacket): boolean {
    if ((packet.flags & (FLAG_SYN | FLAG_ACK)) !== FLAG_SYN || this.segments.rows === 0) return false;
    return this.#openings[this.sideOf(packet)]?.iss !== packet.seq;
  }

  /** @param direction 0 unknown, 1 in, 2 out. @returns the row of the segment. */
  add(packet: TcpPacket, timeUs: number, order: number, direction: number): number {
    const side = this.sideOf(packet);
    const { seq, ack, flags, bytes, window, tsVal, tsEcr, sackCount } = packet;
    if (direction === 2) this.#outbound = side;
    else if (direction === 1) this.#outbound = 1 - side;
    this.#sent[side]! += bytes;
    if (flags & FLAG_SYN) this.#open(packet, side, timeUs, order);
    const reason = this.#judge.judge(side, timeUs, seq, ack, flags, bytes, sackCount);
    const info = segmentInfo(side === 1, flags, reason, packet.hasTimestamps, sackCount);
    const row = this.segments.push(timeUs, order, seq, ack, bytes, window, tsVal, tsEcr, 0, info);
    for (let i = 0; i < sackCount; i++) this.#sacks.push(row, packet.sackLeft[i]!, packet.sackRight[i]!);
    return row;
  }

  #open(packet: TcpPacket, side: number, timeUs: number, order: number): void {
    const { seq, flags, mss, shift, sackPermitted, hasTimestamps } = packet;
    if (this.#openings[side] !== undefined) return;
    this.#openings[side] = { iss: seq, mss, shift, timestamps: hasTimestamps, active: (flags & FLAG_ACK) === 0 };
    const scale = shift < 0 ? 0 : SYN_WINDOW_SCALE | (shift & SYN_SHIFT_MASK);
    const options = scale | (sackPermitted ? SYN_SACK_PERMITTED : 0) | (hasTimestamps ? SYN_TIMESTAMPS : 0);
    this.#events.push(timeUs, order, EVENT_SYN_OPTIONS, mss, options | (side === 1 ? SYN_RX : 0));
  }

  /** The side that is "local" in the trace: whose packets were outbound, else who sent more, else who opened. */
  #local(): 0 | 1 {
    if (this.#outbound >= 0) return this.#outbound === 0 ? 0 : 1;
    if (this.#sent[0] !== this.#sent[1]) return this.#sent[0] > this.#sent[1] ? 0 : 1;
    return this.#openings[1]?.active === true ? 1 : 0;
  }

  finish(id: number, source: number): FlowTrace {
    const local = this.#local();
    const segments = this.segments.finish();
    const events = this.#events.finish();
    if (local === 1) {
      for (let row = 0; row < segments.rows; row++) segments.info[row]! ^= SEGMENT_RX;
      for (let row = 0; row < events.rows; row++) events.b[row]! ^= SYN_RX;
    }
    const ours = this.#openings[local];
    const theirs = this.#openings[local === 0 ? 1 : 0];
    const isScaled = ours !== undefined && theirs !== undefined && ours.shift >= 0 && theirs.shift >= 0;
    const shifts =
      ours === undefined || theirs === undefined
        ? { sndShift: undefined, rcvShift: undefined }
        : { sndShift: isScaled ? theirs.shift : 0, rcvShift: isScaled ? ours.shift : 0 };
    const mss = Math.min(ours?.mss || Number.POSITIVE_INFINITY, theirs?.mss || Number.POSITIVE_INFINITY);
    const options = ours?.timestamps && theirs?.timestamps ? TIMESTAMPS_BYTES : 0;
    const here = { address: this.#address, port: this.#port };
    const there = { address: this.#peerAddress, port: this.#peerPort };
    const [near, far] = local === 0 ? [here, there] : [there, here];
    const descriptor = flowDescriptor({
      id,
      source,
      localAddress: near.address,
      localPort: near.port,
      remoteAddress: far.address,
      remotePort: far.port,
      active: ours?.active ?? (theirs === undefined ? undefined : !theirs.active),
      iss: ours?.iss,
      irs: theirs?.iss,
      ...shifts,
      mss: Number.isFinite(mss) ? Math.max(0, mss - options) : 0,
      startUs: this.#startUs,
    });
    return flowTrace(descriptor, { segments, sacks: this.#sacks.finish(), events });
  }
}
