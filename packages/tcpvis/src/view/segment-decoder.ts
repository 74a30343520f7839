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

/** A jump farther than this is a number that does not belong to the connection. */
const PLAUSIBLE = 2 ** 30;

/** What is known before a chunk: 7 numbers a direction. */
const RAW = 0;
const POSITION = 1;
const STARTED = 2;
const MAX_END = 3;
const ACKED = 4;
const CUM_BYTES = 5;
const CUM_REX = 6;
const STATE_NUMBERS = 7;

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

  decode(table: SegmentTable): DecodedSegments {
    const out = this.#out;
    this.#reserve(table.rows);
    out.rows = table.rows;
    out.timeUs = table.timeUs;
    const { direction, start, end, kind, ack, edge, cumBytes, cumAck } = out;
    const state = this.#state;
    const { rows, info: infos, seq: seqs, ack: acks, bytes: lengths, window: windows } = table;
    // By the direction of the segment that carries the window.
    const { sndShift = 0, rcvShift = 0 } = this.#flow.descriptor;
    const scales = [2 ** rcvShift, 2 ** sndShift] as const;
    for (let row = 0; row < rows; row++) {
      const info = infos[row]!;
      const d = isReceived(info) ? 1 : 0;
      const own = d * STATE_NUMBERS;
      const other = (1 - d) * STATE_NUMBERS;
      const flags = segmentFlags(info);
      const seq = seqs[row]!;
      if (state[own + STARTED] === 0) this.#start(d, (flags & SYN) !== 0 ? seq : seq - 1);
      const bytes = lengths[row]!;
      const length = bytes + ((flags & SYN) !== 0 ? 1 : 0) + ((flags & FIN) !== 0 ? 1 : 0);
      const from =
        state[own + STARTED] === SEEN
          ? state[own + POSITION]! + ((seq - state[own + RAW]!) | 0)
          : this.#firstPosition(own, seq);
      const to = from + length;
      direction[row] = d;
      start[row] = from;
      end[row] = to;
      const maxEnd = state[own + MAX_END]!;
      let what = segmentReason(info);
      if (what === REASON_NONE && length > 0 && flags !== 0) {
        if (d === 0 && to <= maxEnd) what = REASON_OTHER;
        else if (d === 1 && (from < maxEnd || (from > maxEnd && maxEnd > 0))) what = KIND_OUT_OF_ORDER;
      }
      kind[row] = what;
      if (to > maxEnd && (to - maxEnd < PLAUSIBLE || maxEnd === 0) && (flags & RST) === 0) {
        state[own + MAX_END] = to;
        this.#advance(own, seq + length, to);
      }
      state[own + CUM_BYTES]! += bytes;
      if (what !== KIND_NEW) state[own + CUM_REX]! += bytes;
      cumBytes[row] = state[own + CUM_BYTES]!;
      ack[row] = Number.NaN;
      edge[row] = Number.NaN;
      if ((flags & ACK) !== 0 || flags === 0) {
        const number = acks[row]!;
        if (state[other + STARTED] === 0) this.#start(1 - d, number - 1);
        const acked =
          state[other + STARTED] === SEEN
            ? state[other + POSITION]! + ((number - state[other + RAW]!) | 0)
            : this.#firstPosition(other, number);
        ack[row] = acked;
        const window = windows[row]!;
        if (flags !== 0) edge[row] = acked + ((flags & SYN) !== 0 ? window : window * scales[d]!);
        if (
          acked > state[other + ACKED]! &&
          (acked - state[other + ACKED]! < PLAUSIBLE || state[other + ACKED] === 0)
        ) {
          state[other + ACKED] = acked;
          if (acked > state[other + POSITION]!) this.#advance(other, number, acked);
        }
      }
      cumAck[row] = state[other + ACKED]!;
    }
    return out;
  }

  /** The first number may be far from the initial one: the start of the flow can be missing. */
  #firstPosition(at: number, raw: number): number {
    const state = this.#state;
    state[at + STARTED] = SEEN;
    const position = (raw - state[at + RAW]!) >>> 0;
    this.#advance(at, raw, position);
    return position;
  }

  #start(direction: number, isn: number): void {
    const at = direction * STATE_NUMBERS;
    this.#state[at + RAW] = isn | 0;
    this.#state[at + POSITION] = 0;
    this.#state[at + STARTED] = KNOWN;
  }

  #advance(at: number, raw: number, position: number): void {
    if (position <= this.#state[at + POSITION]!) return;
    this.#state[at + RAW] = raw | 0;
    this.#state[at + POSITION] = position;
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
