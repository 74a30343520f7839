import {
  type FlowRecord,
  OP_RX,
  OP_TX,
  OP_WND,
  RECORD_BYTES,
  RECORD_DOUBLES,
  RECORD_WORDS,
  saturate,
  WORD_BYTES,
  WORD_DELAY,
  WORD_DETAILS,
  WORD_OP,
  WORD_WINDOW,
} from './record.ts';

/** What a `FlowLog` is made of: survives structured clone, and `buffer` may be transferred. */
export interface FlowLogHandle {
  /** `count` records of RECORD_BYTES, oldest first (layout: record.ts). */
  readonly buffer: ArrayBuffer;
  readonly count: number;
  /** Older records that were overwritten before this log was taken. */
  readonly overwritten: number;
}

/**
 * A finished log, oldest record first: a copy that no recorder writes to any more. The typed getters read single
 * fields without making objects; `record` makes one for people.
 */
export class FlowLog implements Iterable<FlowRecord> {
  readonly count: number;
  readonly overwritten: number;
  readonly #buffer: ArrayBuffer;
  readonly #words: Int32Array;
  readonly #times: Float64Array;

  constructor(handle: FlowLogHandle) {
    if (handle.count < 0 || handle.count * RECORD_BYTES > handle.buffer.byteLength) {
      throw new RangeError(`a buffer of ${handle.buffer.byteLength} bytes does not hold ${handle.count} flow records`);
    }
    this.#buffer = handle.buffer;
    this.count = handle.count;
    this.overwritten = handle.overwritten;
    this.#words = new Int32Array(handle.buffer, 0, handle.count * RECORD_WORDS);
    this.#times = new Float64Array(handle.buffer, 0, handle.count * RECORD_DOUBLES);
  }

  /** Packs records (as a reader of some file makes them) into a log. */
  static from(records: Iterable<FlowRecord>, overwritten = 0): FlowLog {
    const list = [...records];
    const buffer = new ArrayBuffer(list.length * RECORD_BYTES);
    const words = new Int32Array(buffer);
    const times = new Float64Array(buffer);
    list.forEach((record, index) => {
      times[index * RECORD_DOUBLES] = record.timeUs;
      pack(words, index * RECORD_WORDS, record);
    });
    return new FlowLog({ buffer, count: list.length, overwritten });
  }

  get handle(): FlowLogHandle {
    return { buffer: this.#buffer, count: this.count, overwritten: this.overwritten };
  }

  /** @returns microseconds of the flow's clock. */
  timeUs(index: number): number {
    return this.#times[index * RECORD_DOUBLES]!;
  }

  /** @returns OP_TX, OP_RX or OP_WND. */
  op(index: number): number {
    return this.#words[index * RECORD_WORDS + WORD_OP]! & 0xff;
  }

  delayUs(index: number): number {
    return this.#words[index * RECORD_WORDS + WORD_DELAY]!;
  }

  /** @returns the int32 word of a detail: 0 and 1 of a segment, 0 to 10 of a window update (layout: record.ts). */
  detail(index: number, detail: number): number {
    return this.#words[index * RECORD_WORDS + WORD_DETAILS + detail]!;
  }

  /** @throws RangeError when there is no such record. */
  record(index: number): FlowRecord {
    if (!(index >= 0 && index < this.count)) throw new RangeError(`no record ${index} in a log of ${this.count}`);
    return unpack(this.#words, index * RECORD_WORDS, this.timeUs(index));
  }

  *[Symbol.iterator](): Iterator<FlowRecord> {
    for (let index = 0; index < this.count; index++) yield this.record(index);
  }
}

/** Makes the object of the record at `word`. */
export function unpack(words: Int32Array, word: number, timeUs: number): FlowRecord {
  const head = words[word + WORD_OP]!;
  const delayUs = words[word + WORD_DELAY]!;
  const at = word + WORD_DETAILS;
  if ((head & 0xff) === OP_WND) {
    return {
      op: 'WND',
      kind: 'UPD',
      timeUs,
      delayUs,
      sndNxt: words[at]! >>> 0,
      segAck: words[at + 1]! >>> 0,
      sndUna: words[at + 2]! >>> 0,
      rcvNxt: words[at + 3]! >>> 0,
      backoff: words[at + 4]!,
      sndWnd: words[at + 5]!,
      rcvWnd: words[at + 6]!,
      cwnd: words[at + 7]!,
      ssthresh: words[at + 8]!,
      inRecovery: words[at + 9] !== 0,
      recoveryPoint: words[at + 10]! >>> 0,
    };
  }
  return {
    op: (head & 0xff) === OP_TX ? 'TX' : 'RX',
    kind: 'SEG',
    timeUs,
    delayUs,
    seq: words[at]! >>> 0,
    ack: words[at + 1]! >>> 0,
    flags: (head >>> 8) & 0xff,
    bytes: words[word + WORD_BYTES]!,
    window: words[word + WORD_WINDOW]!,
    retransmission: (head & 0x1_0000) !== 0,
  };
}

function pack(words: Int32Array, word: number, record: FlowRecord): void {
  words[word + WORD_DELAY] = saturate(record.delayUs);
  const at = word + WORD_DETAILS;
  if (record.op === 'WND') {
    words[word + WORD_OP] = OP_WND;
    words[at] = record.sndNxt;
    words[at + 1] = record.segAck;
    words[at + 2] = record.sndUna;
    words[at + 3] = record.rcvNxt;
    words[at + 4] = record.backoff;
    words[at + 5] = saturate(record.sndWnd);
    words[at + 6] = saturate(record.rcvWnd);
    words[at + 7] = saturate(record.cwnd);
    words[at + 8] = saturate(record.ssthresh);
    words[at + 9] = record.inRecovery ? 1 : 0;
    words[at + 10] = record.recoveryPoint;
    return;
  }
  const op = record.op === 'TX' ? OP_TX : OP_RX;
  words[word + WORD_OP] = op | ((record.flags & 0xff) << 8) | (record.retransmission ? 0x1_0000 : 0);
  words[at] = record.seq;
  words[at + 1] = record.ack;
  words[word + WORD_BYTES] = saturate(record.bytes);
  words[word + WORD_WINDOW] = record.window;
}
