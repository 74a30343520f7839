/** Rows of JSON lines in the very form that the writer gives them: by hand, without an object. */
import { segmentInfo } from '../segment-info.ts';
import type { FlowReading, JsonlReading } from './jsonl-read.ts';
import { WORDS } from './jsonl-segment.ts';
import { EVENT_SHAPE, MACHINE_SHAPE, type RowShape, SEGMENT_SHAPE, WINDOW_SHAPE } from './jsonl-shape.ts';
import { type ExpectedText, expectedText, NumberScanner } from './number-scan.ts';

const LINE_FEED = 0x0a;
const COMMA = 0x2c;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;
const BRACE_END = 0x7d;
const MOST_SACKS = 7;
/** Where in a row's line its type begins. */
const TYPE_AT = 9;
const LETTER_E = 0x65;
const LETTER_M = 0x6d;
const LETTER_S = 0x73;
const LETTER_W = 0x77;

/** What is expected of a row. */
interface ExpectedRow {
  readonly head: ExpectedText;
  readonly keys: readonly ExpectedText[];
  readonly isDouble: readonly boolean[];
}

const SEGMENT = expectedRow(SEGMENT_SHAPE);
const WINDOW = expectedRow(WINDOW_SHAPE);
const EVENT = expectedRow(EVENT_SHAPE);
const MACHINE = expectedRow(MACHINE_SHAPE);
const MAX_FIELDS = Math.max(...[SEGMENT, WINDOW, EVENT, MACHINE].map(({ keys }) => keys.length));

const TX = expectedText(WORDS.tx);
const RX = expectedText(WORDS.rx);
const TS_VAL = expectedText(WORDS.tsVal);
const TS_ECR = expectedText(WORDS.tsEcr);
const REASON = expectedText(WORDS.reason);
const SACKS = expectedText(WORDS.sacks);
const INFO = expectedText(WORDS.info);

function expectedRow({ head, fields }: RowShape): ExpectedRow {
  return {
    head: expectedText(head),
    keys: fields.map(({ name }) => expectedText(`,"${name}":`)),
    isDouble: fields.map(({ type }) => type === 'f64'),
  };
}

/** Goes through a file line by line. */
export class JsonlScanner {
  readonly #scanner: NumberScanner;
  readonly #reading: JsonlReading;
  readonly #values = new Float64Array(MAX_FIELDS);
  readonly #lefts = new Float64Array(MOST_SACKS);
  readonly #rights = new Float64Array(MOST_SACKS);
  /** The flow that the row before belonged to. */
  #flow: FlowReading | undefined;
  #flowId = Number.NaN;
  /** Where the line under the cursor begins, and the next one. */
  #start = 0;
  #next = 0;

  constructor(bytes: Uint8Array, reading: JsonlReading) {
    this.#scanner = new NumberScanner(bytes);
    this.#reading = reading;
  }

  /** Whether there is another line. */
  get hasLine(): boolean {
    return this.#next < this.#scanner.bytes.length;
  }

  /**
   * Takes the next line when it is a row as the writer writes it, of a flow or source that is known.
   * @returns the line when it is anything else; nothing has been taken from it then.
   */
  next(): Uint8Array | undefined {
    const { bytes } = this.#scanner;
    this.#start = this.#next;
    if (this.#row()) return undefined;
    const lineFeed = bytes.indexOf(LINE_FEED, this.#start);
    const end = lineFeed < 0 ? bytes.length : lineFeed;
    this.#next = end + 1;
    return bytes.subarray(this.#start, end);
  }

  #row(): boolean {
    const scanner = this.#scanner;
    scanner.at = this.#start;
    switch (scanner.bytes[this.#start + TYPE_AT]) {
      case LETTER_S:
        return this.#segment();
      case LETTER_W: {
        const flow = this.#head(WINDOW);
        if (flow === undefined || !this.#numbers(WINDOW) || !this.#end()) return false;
        flow.windows.pushValues(this.#values);
        return true;
      }
      case LETTER_E: {
        const flow = this.#head(EVENT);
        if (flow === undefined || !this.#numbers(EVENT) || !this.#end()) return false;
        flow.events.pushValues(this.#values);
        return true;
      }
      case LETTER_M: {
        if (!scanner.take(MACHINE.head)) return false;
        const source = this.#reading.sources.get(scanner.integer());
        if (source === undefined || !this.#numbers(MACHINE) || !this.#end()) return false;
        source.machine.pushValues(this.#values);
        return true;
      }
      default:
        return false;
    }
  }

  #segment(): boolean {
    const scanner = this.#scanner;
    const flow = this.#head(SEGMENT);
    if (flow === undefined || !this.#numbers(SEGMENT)) return false;
    const isRx = scanner.take(RX);
    if (!isRx && !scanner.take(TX)) return false;
    const flags = scanner.integer();
    let tsVal = 0;
    let tsEcr = 0;
    const timestamps = scanner.take(TS_VAL);
    if (timestamps) {
      tsVal = scanner.integer();
      if (!scanner.take(TS_ECR)) return false;
      tsEcr = scanner.integer();
    }
    const reason = scanner.take(REASON) ? scanner.integer() : 0;
    const blocks = scanner.take(SACKS) ? this.#sacks() : 0;
    const info = scanner.take(INFO) ? scanner.integer() : segmentInfo(isRx, flags, reason, timestamps, blocks);
    if (Number.isNaN(flags + tsVal + tsEcr + reason + info + blocks) || !this.#end()) return false;
    const values = this.#values;
    // The numbers stand in the order of the columns; three columns are not among them.
    values[9] = info;
    values[8] = values[6]!;
    values[6] = tsVal;
    values[7] = tsEcr;
    const row = flow.segments.pushValues(values);
    for (let i = 0; i < blocks; i++) flow.sacks.push(flow.firstSegment + row, this.#lefts[i]!, this.#rights[i]!);
    return true;
  }

  /** The blocks behind `[[`. @returns how many, NaN when they are none. */
  #sacks(): number {
    const scanner = this.#scanner;
    for (let blocks = 0; blocks < MOST_SACKS; blocks++) {
      this.#lefts[blocks] = scanner.integer();
      if (!scanner.takeByte(COMMA)) return Number.NaN;
      this.#rights[blocks] = scanner.integer();
      if (Number.isNaN(this.#lefts[blocks]! + this.#rights[blocks]!)) return Number.NaN;
      if (!scanner.takeByte(BRACKET_END)) return Number.NaN;
      if (scanner.takeByte(BRACKET_END)) return blocks + 1;
      if (!scanner.takeByte(COMMA) || !scanner.takeByte(BRACKET)) return Number.NaN;
    }
    return Number.NaN;
  }

  /** How a row of a flow begins. @returns the flow, if it is known. */
  #head(row: ExpectedRow): FlowReading | undefined {
    if (!this.#scanner.take(row.head)) return undefined;
    const id = this.#scanner.integer();
    if (id !== this.#flowId) {
      this.#flowId = id;
      this.#flow = this.#reading.flows.get(id);
    }
    return this.#flow;
  }

  /** All numbers of a row, into `#values`. @returns whether they are there. */
  #numbers({ keys, isDouble }: ExpectedRow): boolean {
    const scanner = this.#scanner;
    const values = this.#values;
    for (let i = 0; i < keys.length; i++) {
      if (!scanner.take(keys[i]!)) return false;
      const value = isDouble[i] ? scanner.number() : scanner.integer();
      if (Number.isNaN(value)) return false;
      values[i] = value;
    }
    return true;
  }

  /** The end of the object and of the line. */
  #end(): boolean {
    const scanner = this.#scanner;
    if (!scanner.takeByte(BRACE_END)) return false;
    const { at, bytes } = scanner;
    if (at < bytes.length && bytes[at] !== LINE_FEED) return false;
    this.#next = at + 1;
    return true;
  }
}
