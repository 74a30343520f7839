/** Makes positions in the two byte streams of a connection out of the wrapping numbers on the wire. */
import {
  type FlowDescriptor,
  isReceived,
  REASON_NONE,
  REASON_OTHER,
  type SegmentTable,
  segmentFlags,
  segmentReason,
} from '@qanat/flowlog';

/** Direction of data: 0 what this end sends, 1 what it receives. */
export type Direction = 0 | 1;

/** What a bar stands for: 0 new data, else REASON_*; the peer's data tells no reason, only that it is not the next. */
export const KIND_NEW = 0;
export const KIND_OUT_OF_ORDER = 16;

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

/** @returns whether a row tells how long the segment was under way inside: a log of 2013 does of what was sent only. */
export function tellsDelay(info: number): boolean {
  return !isReceived(info) || segmentFlags(info) !== 0;
}

/** A jump farther than this is a number that does not belong to the connection. */
const PLAUSIBLE = 2 ** 30;

/** What is known before a chunk: 6 numbers a direction. */
const RAW = 0;
const POSITION = 1;
const STARTED = 2;
const MAX_END = 3;
const ACKED = 4;
const CUM_BYTES = 5;
const STATE_NUMBERS = 6;

/** Values of STARTED. */
const KNOWN = 1;
const SEEN = 2;

/** Row by row, what `decode` found; valid until the next call. Positions count bytes from the SYN. */
export interface DecodedSegments {
  rows: number;
  timeUs: Float64Array;
  /** 0 sent, 1 received. */
  direction: Uint8Array;
  /** In the stream of `direction`. */
  start: Float64Array;
  end: Float64Array;
  kind: Uint8Array;
  /** In the other stream; NaN without ACK. */
  ack: Float64Array;
  /** Right edge of the window, in the other stream; NaN when the row does not tell. */
  edge: Float64Array;
  /** Payload bytes in `direction` until here, this row's included. */
  cumBytes: Float64Array;
  /** Highest acknowledgment of the other stream so far. */
  cumAck: Float64Array;
}

export class SegmentDecoder {
  readonly #state = new Float64Array(2 * STATE_NUMBERS);
  readonly #flow: { readonly descriptor: FlowDescriptor };
  readonly #out: DecodedSegments = {
    rows: 0,
    timeUs: new Float64Array(0),
    direction: new Uint8Array(0),
    start: new Float64Array(0),
    end: new Float64Array(0),
    kind: new Uint8Array(0),
    ack: new Float64Array(0),
    edge: new Float64Array(0),
    cumBytes: new Float64Array(0),
    cumAck: new Float64Array(0),
  };

  /** @param flow what is known of it: initial sequence numbers now, the shifts of the windows whenever rows are decoded. */
  constructor(flow: { readonly descriptor: FlowDescriptor }) {
    this.#flow = flow;
    [flow.descriptor.iss, flow.descriptor.irs].forEach((isn, direction) => {
      if (isn !== undefined) this.#start(direction, isn);
    });
  }

  /** What `restore` takes to decode the next chunk again. */
  snapshot(): Float64Array {
    return this.#state.slice();
  }

  restore(snapshot: Float64Array): void {
    this.#state.set(snapshot);
  }

  /** @returns a number of the stream `direction` as a position, near to what was seen last. */
  position(direction: number, raw: number): number {
    const at = direction * STATE_NUMBERS;
    return this.#state[at + POSITION]! + ((raw - this.#state[at + RAW]!) | 0);
  }

  /** Rows of one direction in a row are decoded with what is known in variables: bulk data comes and goes by the dozen. */
  decode(table: SegmentTable): DecodedSegments {
    const out = this.#out;
    const { rows, info } = table;
    this.#reserve(rows);
    out.rows = rows;
    out.timeUs = table.timeUs;
    for (let from = 0; from < rows; ) {
      const sent = !isReceived(info[from]!);
      let to = from + 1;
      while (to < rows && !isReceived(info[to]!) === sent) to++;
      this.#decodeStretch(table, from, to, sent ? 0 : 1);
      from = to;
    }
    return out;
  }

  /** @param d direction of all rows from..to. */
  #decodeStretch(table: SegmentTable, rowFrom: number, rowTo: number, d: Direction): void {
    const { direction, start, end, kind, ack, edge, cumBytes, cumAck } = this.#out;
    const { info: infos, seq: seqs, ack: acks, bytes: lengths, window: windows } = table;
    const { sndShift = 0, rcvShift = 0 } = this.#flow.descriptor;
    // By the direction of the segment that carries the window.
    const scale = 2 ** (d === 0 ? rcvShift : sndShift);
    const state = this.#state;
    const own = d * STATE_NUMBERS;
    const other = (1 - d) * STATE_NUMBERS;
    let ownRaw = state[own + RAW]! | 0;
    let ownPosition = state[own + POSITION]!;
    let ownStarted = state[own + STARTED]!;
    let maxEnd = state[own + MAX_END]!;
    let sum = state[own + CUM_BYTES]!;
    let otherRaw = state[other + RAW]! | 0;
    let otherPosition = state[other + POSITION]!;
    let otherStarted = state[other + STARTED]!;
    let ackedMost = state[other + ACKED]!;
    for (let row = rowFrom; row < rowTo; row++) {
      const info = infos[row]!;
      const flags = segmentFlags(info);
      const seq = seqs[row]!;
      const bytes = lengths[row]!;
      const length = bytes + ((flags & SYN) !== 0 ? 1 : 0) + (flags & FIN);
      if (ownStarted !== SEEN) {
        // The first number may be far from the initial one: the start of the flow can be missing.
        const initial = ownStarted === KNOWN ? ownRaw : (flags & SYN) !== 0 ? seq : (seq - 1) | 0;
        ownStarted = SEEN;
        ownPosition = (seq - initial) >>> 0;
        ownRaw = seq;
      }
      const from = ownPosition + ((seq - ownRaw) | 0);
      const to = from + length;
      let what = segmentReason(info);
      if (what === REASON_NONE && length > 0 && flags !== 0) {
        if (d === 0) {
          if (to <= maxEnd) what = REASON_OTHER;
        } else if (from < maxEnd || (from > maxEnd && maxEnd > 0)) what = KIND_OUT_OF_ORDER;
      }
      if (to > maxEnd && (to - maxEnd < PLAUSIBLE || maxEnd === 0) && (flags & RST) === 0) {
        maxEnd = to;
        if (to > ownPosition) {
          ownPosition = to;
          ownRaw = (seq + length) | 0;
        }
      }
      sum += bytes;
      direction[row] = d;
      start[row] = from;
      end[row] = to;
      kind[row] = what;
      cumBytes[row] = sum;
      let acked = Number.NaN;
      let right = Number.NaN;
      if ((flags & ACK) !== 0 || flags === 0) {
        const number = acks[row]!;
        if (otherStarted !== SEEN) {
          const initial = otherStarted === KNOWN ? otherRaw : (number - 1) | 0;
          otherStarted = SEEN;
          otherPosition = (number - initial) >>> 0;
          otherRaw = number;
        }
        acked = otherPosition + ((number - otherRaw) | 0);
        const window = windows[row]!;
        if (flags !== 0) right = acked + ((flags & SYN) !== 0 ? window : window * scale);
        if (acked > ackedMost && (acked - ackedMost < PLAUSIBLE || ackedMost === 0)) {
          ackedMost = acked;
          if (acked > otherPosition) {
            otherPosition = acked;
            otherRaw = number;
          }
        }
      }
      ack[row] = acked;
      edge[row] = right;
      cumAck[row] = ackedMost;
    }
    state[own + RAW] = ownRaw;
    state[own + POSITION] = ownPosition;
    state[own + STARTED] = ownStarted;
    state[own + MAX_END] = maxEnd;
    state[own + CUM_BYTES] = sum;
    state[other + RAW] = otherRaw;
    state[other + POSITION] = otherPosition;
    state[other + STARTED] = otherStarted;
    state[other + ACKED] = ackedMost;
  }

  #start(direction: number, isn: number): void {
    const at = direction * STATE_NUMBERS;
    this.#state[at + RAW] = isn | 0;
    this.#state[at + POSITION] = 0;
    this.#state[at + STARTED] = KNOWN;
  }

  #reserve(rows: number): void {
    const out = this.#out;
    if (out.start.length >= rows) return;
    out.direction = new Uint8Array(rows);
    out.start = new Float64Array(rows);
    out.end = new Float64Array(rows);
    out.kind = new Uint8Array(rows);
    out.ack = new Float64Array(rows);
    out.edge = new Float64Array(rows);
    out.cumBytes = new Float64Array(rows);
    out.cumAck = new Float64Array(rows);
  }
}
