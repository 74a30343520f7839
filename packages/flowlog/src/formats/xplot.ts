/**
 * The time-sequence graph of a flow for xplot, in tcptrace's manner: sent segments as bars between arrows, the
 * acknowledgment line under them in green, the window line above in yellow, retransmissions in red with an R, SACK blocks in
 * purple with an S. Sequence numbers count from the first of this end.
 */
import { isReceived, REASON_NONE, sackBlocks, segmentFlags, segmentReason } from '../segment-info.ts';
import { type FlowTrace, firstSack, type Trace } from '../trace.ts';
import { type Ascii, ascii, ByteWriter } from './byte-writer.ts';
import { busiestFlow, flowsToWrite, type WriteOptions } from './format.ts';
import { formatAddress } from './tcp-probe.ts';

const FLAG_FIN = 0x01;
const FLAG_SYN = 0x02;
const FLAG_RST = 0x04;
const FLAG_PSH = 0x08;
const FLAG_ACK = 0x10;
const BLANK = 0x20;

const LINE = ascii('line ');
const DARROW = ascii('darrow ');
const UARROW = ascii('uarrow ');
const DIAMOND = ascii('diamond ');
const DTICK = ascii('dtick ');
const ATEXT = ascii('atext ');
const BTEXT = ascii('btext ');
const WHITE = ascii(' white\n');
const RED = ascii(' red\n');
const ORANGE = ascii(' orange\n');
const GREEN = ascii(' green\n');
const YELLOW = ascii(' yellow\n');
const PURPLE = ascii(' purple\n');
const TEXT_RST = ascii('RST\n');
const TEXT_R = ascii('R\n');
const TEXT_SYN = ascii('SYN\n');
const TEXT_FIN = ascii('FIN\n');
const TEXT_S = ascii('S\n');

/** Most bytes that a row adds beside its SACK blocks. */
const MAX_ROW_BYTES = 1024;

export function* writeXplot(trace: Trace, options: WriteOptions = {}): Generator<Uint8Array> {
  const flow = busiestFlow(flowsToWrite(trace, options));
  if (flow === undefined) return;
  const out = new ByteWriter();
  out.text(head(flow));
  const lines = new Lines(out, flow, trace.clock.unixEpochUs ?? 0);
  for (let row = 0; row < flow.segments.rows; row++) {
    if (out.isFull) yield out.take();
    out.reserve(MAX_ROW_BYTES);
    if (isReceived(flow.segments.info[row]!)) lines.received(row);
    else lines.sent(row);
  }
  out.text('go\n');
  yield out.take();
}

function head(flow: FlowTrace): string {
  const { localAddress, localPort, remoteAddress, remotePort } = flow;
  const title = `${formatAddress(localAddress)}:${localPort}_==>_${formatAddress(remoteAddress)}:${remotePort}`;
  return `timeval double\ntitle\n${title} (time sequence graph)\nxlabel\ntime\nylabel\nsequence number\n`;
}

/** Draws rows, and remembers where the two stair lines are. */
class Lines {
  readonly #out: ByteWriter;
  readonly #flow: FlowTrace;
  readonly #epochUs: number;
  /** Unwrapped: sequence numbers go on past 2^32. */
  #highest = 0;
  #base: number | undefined;
  #ack = 0;
  #ackUs = Number.NaN;
  #window = 0;

  constructor(out: ByteWriter, flow: FlowTrace, epochUs: number) {
    this.#out = out;
    this.#flow = flow;
    this.#epochUs = epochUs;
    this.#base = flow.iss;
  }

  sent(row: number): void {
    const { segments } = this.#flow;
    const timeUs = segments.timeUs[row]!;
    const info = segments.info[row]!;
    const flags = segmentFlags(info);
    const length = segments.bytes[row]! + (flags & FLAG_SYN ? 1 : 0) + (flags & FLAG_FIN ? 1 : 0);
    const seq = this.#unwrap(segments.seq[row]!);
    const end = seq + length;
    if (end > this.#highest) this.#highest = end;
    if (length === 0) {
      if (flags & FLAG_RST) this.#text(timeUs, seq, ATEXT, TEXT_RST, RED);
      return;
    }
    const color = segmentReason(info) === REASON_NONE ? WHITE : RED;
    this.#line(timeUs, seq, timeUs, end, color);
    this.#mark(DARROW, timeUs, seq, color);
    this.#mark(flags & FLAG_PSH ? DIAMOND : UARROW, timeUs, end, color);
    if (color === RED) this.#text(timeUs, end, ATEXT, TEXT_R, color);
    else if (flags & FLAG_SYN) this.#text(timeUs, end, ATEXT, TEXT_SYN, ORANGE);
    else if (flags & FLAG_FIN) this.#text(timeUs, end, ATEXT, TEXT_FIN, ORANGE);
  }

  received(row: number): void {
    const { segments, sndShift } = this.#flow;
    const info = segments.info[row]!;
    const flags = segmentFlags(info);
    // A log of 2013 has no flags: all its segments acknowledge.
    if ((flags & FLAG_ACK) === 0 && flags !== 0) return;
    const timeUs = segments.timeUs[row]!;
    const ack = this.#unwrap(segments.ack[row]!);
    const shift = flags & FLAG_SYN ? 0 : (sndShift ?? 0);
    const window = Math.max(this.#window, ack + segments.window[row]! * 2 ** shift);
    if (!Number.isNaN(this.#ackUs)) {
      this.#stair(this.#ack, ack, timeUs, GREEN);
      if (segments.window[row]! > 0 || this.#window > 0) this.#stair(this.#window, window, timeUs, YELLOW);
    }
    this.#ack = Math.max(this.#ack, ack);
    this.#window = window;
    this.#ackUs = timeUs;
    const blocks = sackBlocks(info);
    if (blocks === 0) return;
    const first = firstSack(this.#flow, row);
    for (let i = first; i < Math.min(first + blocks, this.#flow.sacks.rows); i++) {
      const left = this.#unwrap(this.#flow.sacks.left[i]!);
      this.#out.reserve(MAX_ROW_BYTES);
      this.#line(timeUs, left, timeUs, left + ((this.#flow.sacks.right[i]! - this.#flow.sacks.left[i]!) >>> 0), PURPLE);
      this.#text(timeUs, left, BTEXT, TEXT_S, PURPLE);
    }
  }

  /** Along at the old height until now, then up. */
  #stair(from: number, to: number, timeUs: number, color: Ascii): void {
    this.#line(this.#ackUs, from, timeUs, from, color);
    if (to > from) this.#line(timeUs, from, timeUs, to, color);
    else if (to === from) this.#mark(DTICK, timeUs, from, color);
  }

  /** @returns bytes since the first sequence number, taking the turn of 2^32 that is nearest to the highest seen. */
  #unwrap(seq: number): number {
    this.#base ??= seq;
    const low = this.#highest % 0x1_0000_0000;
    return this.#highest + ((seq - this.#base - low) | 0);
  }

  #line(fromUs: number, from: number, toUs: number, to: number, color: Ascii): void {
    this.#command(LINE, fromUs, from);
    this.#out.byte(BLANK);
    this.#point(toUs, to);
    this.#out.copy(color);
  }

  #mark(command: Ascii, timeUs: number, at: number, color: Ascii): void {
    this.#command(command, timeUs, at);
    this.#out.copy(color);
  }

  /** @param text with its line feed. */
  #text(timeUs: number, at: number, command: Ascii, text: Ascii, color: Ascii): void {
    this.#command(command, timeUs, at);
    this.#out.copy(color);
    this.#out.copy(text);
  }

  #command(command: Ascii, timeUs: number, at: number): void {
    this.#out.copy(command);
    this.#point(timeUs, at);
  }

  #point(timeUs: number, at: number): void {
    this.#out.seconds(timeUs + this.#epochUs);
    this.#out.byte(BLANK);
    this.#out.integer(at);
  }
}
