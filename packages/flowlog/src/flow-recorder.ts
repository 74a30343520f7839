import type { TcpObserver, WindowState } from '@qanat/tcp';
import { FlowLog, unpack } from './flow-log.ts';
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

export interface FlowRecorderOptions {
  /** Most records kept (64 bytes each), rounded up to a power of two; the oldest give way. Default 65536 (4 MiB). */
  readonly records?: number;
}

export const DEFAULT_RECORDS = 65_536;
export const MAX_RECORDS = 1 << 24;

/**
 * The flight recorder of one flow: TCP's observer with a bounded ring of fixed-width records. Off, it costs a branch;
 * on, a record is a few stores into typed arrays. Every method may be called while the flow runs. The method names
 * are those of the 2013 debug log.
 */
export class FlowRecorder implements TcpObserver {
  readonly capacity: number;
  #recording = false;
  // The ring is made by the first start: a flow that is never watched costs nothing.
  #words = new Int32Array(0);
  #times = new Float64Array(0);
  /** Slot of the next record. */
  #next = 0;
  #count = 0;
  #overwritten = 0;

  /** @throws RangeError when `records` is not in 1..MAX_RECORDS. */
  constructor(options: FlowRecorderOptions = {}) {
    const { records = DEFAULT_RECORDS } = options;
    if (!(Number.isInteger(records) && records >= 1 && records <= MAX_RECORDS)) {
      throw new RangeError(`a flow recorder of ${records} records: the number must be in 1..${MAX_RECORDS}`);
    }
    this.capacity = 2 ** Math.ceil(Math.log2(records));
  }

  get recording(): boolean {
    return this.#recording;
  }

  /** Records held. */
  get count(): number {
    return this.#count;
  }

  /** Records lost to younger ones since the start or the last `cleanLog`. */
  get overwritten(): number {
    return this.#overwritten;
  }

  /** Begins or goes on recording; what is held stays. @returns whether that changed anything. */
  startLogging(): boolean {
    if (this.#recording) return false;
    if (this.#words.length === 0) {
      const buffer = new ArrayBuffer(this.capacity * RECORD_BYTES);
      this.#words = new Int32Array(buffer);
      this.#times = new Float64Array(buffer);
    }
    this.#recording = true;
    return true;
  }

  /** Stops recording; what is held stays. @returns whether that changed anything. */
  stopLogging(): boolean {
    const changed = this.#recording;
    this.#recording = false;
    return changed;
  }

  /** Forgets all records and the count of overwritten ones. Recording goes on if it was on. */
  cleanLog(): void {
    this.#next = 0;
    this.#count = 0;
    this.#overwritten = 0;
  }

  /** @returns the records held, newest first. */
  getRawLogDump(): FlowRecord[] {
    return this.getLogDumpCopy().reverse();
  }

  /** @returns the records held, oldest first. */
  getLogDumpCopy(): FlowRecord[] {
    const records: FlowRecord[] = new Array(this.#count);
    const mask = this.capacity - 1;
    let slot = (this.#next - this.#count) & mask;
    for (let i = 0; i < this.#count; i++) {
      records[i] = unpack(this.#words, slot * RECORD_WORDS, this.#times[slot * RECORD_DOUBLES]!);
      slot = (slot + 1) & mask;
    }
    return records;
  }

  /** @returns a copy of what is held without an object per record: for large logs, files and other threads. */
  snapshot(): FlowLog {
    const copy = new Int32Array(this.#count * RECORD_WORDS);
    const first = (this.#next - this.#count) & (this.capacity - 1);
    const untilEnd = Math.min(this.#count, this.capacity - first);
    copy.set(this.#words.subarray(first * RECORD_WORDS, (first + untilEnd) * RECORD_WORDS));
    copy.set(this.#words.subarray(0, (this.#count - untilEnd) * RECORD_WORDS), untilEnd * RECORD_WORDS);
    return new FlowLog({ buffer: copy.buffer, count: this.#count, overwritten: this.#overwritten });
  }

  segmentSent(
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    nowUs: number,
    delayUs: number,
    retransmission: boolean,
  ): void {
    if (!this.#recording) return;
    const word = this.#claim(nowUs);
    const words = this.#words;
    words[word + WORD_OP] = OP_TX | ((flags & 0xff) << 8) | (retransmission ? 0x1_0000 : 0);
    words[word + WORD_DELAY] = saturate(delayUs);
    words[word + WORD_DETAILS] = seq;
    words[word + WORD_DETAILS + 1] = ack;
    words[word + WORD_BYTES] = bytes;
    words[word + WORD_WINDOW] = window;
  }

  segmentReceived(
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    arrivedUs: number,
    nowUs: number,
  ): void {
    if (!this.#recording) return;
    const word = this.#claim(nowUs);
    const words = this.#words;
    words[word + WORD_OP] = OP_RX | ((flags & 0xff) << 8);
    words[word + WORD_DELAY] = saturate(nowUs - arrivedUs);
    words[word + WORD_DETAILS] = seq;
    words[word + WORD_DETAILS + 1] = ack;
    words[word + WORD_BYTES] = bytes;
    words[word + WORD_WINDOW] = window;
  }

  windowUpdated(nowUs: number, window: WindowState): void {
    if (!this.#recording) return;
    const word = this.#claim(nowUs);
    const words = this.#words;
    words[word + WORD_OP] = OP_WND;
    words[word + WORD_DELAY] = 0;
    const at = word + WORD_DETAILS;
    words[at] = window.sndNxt;
    words[at + 1] = window.segAck;
    words[at + 2] = window.sndUna;
    words[at + 3] = window.rcvNxt;
    words[at + 4] = window.backoff;
    words[at + 5] = saturate(window.sndWnd);
    words[at + 6] = saturate(window.rcvWnd);
    words[at + 7] = saturate(window.cwnd * window.mss);
    words[at + 8] = saturate(window.ssthresh * window.mss);
    words[at + 9] = window.inRecovery ? 1 : 0;
    words[at + 10] = window.recoveryPoint;
  }

  /** Takes the next slot, the oldest record's when the ring is full, and stamps it. @returns its first word. */
  #claim(nowUs: number): number {
    const slot = this.#next;
    this.#next = (slot + 1) & (this.capacity - 1);
    if (this.#count < this.capacity) this.#count++;
    else this.#overwritten++;
    this.#times[slot * RECORD_DOUBLES] = nowUs;
    return slot * RECORD_WORDS;
  }
}
