/**
 * What a flow's observer writes while TCP works: entries as they come, one after another in one small piece of memory, with
 * nothing worked out that can wait. A batch of TCP evicts most of what a recorder needs from the caches, code above all, so the little
 * that runs within it is kept little; many entries at a time then become rows of tables.
 */

/** An entry's place is a multiple of this: a cache line. Window variables take two. */
export const ENTRY_WORDS = 16;
export const WINDOW_ENTRY_WORDS = 2 * ENTRY_WORDS;

/** Doubles of an entry. */
export const ENTRY_TIME = 0;
/**
 * `sent`: the time before the first segment. `received` and `expected`: when it came. `sent-again`: time in the lower layers.
 * `window`: microseconds a byte is paid for with, 0 when nothing is paced.
 */
export const ENTRY_SINCE = 1;
/** `expected`: time of the last segment that has one. */
export const ENTRY_LAST = 7;

/** Words of an entry, behind two doubles. */
export const ENTRY_SEQ = 4;
export const ENTRY_ACK = 5;
export const ENTRY_INFO = 6;
export const ENTRY_BYTES = 7;
export const ENTRY_WINDOW = 8;
export const ENTRY_TS_VAL = 9;
export const ENTRY_TS_ECR = 10;
export const ENTRY_ORDER = 11;
/** `sent` and `expected`: segments. */
export const ENTRY_COUNT = 12;
/** In every entry: ENTRY_IS_*. */
export const ENTRY_KIND = 13;

/** `event`. */
export const ENTRY_EVENT = 4;
export const ENTRY_A = 5;
export const ENTRY_B = 6;

/** `sacks`: how many blocks, and where they begin; before the segment that they belong to. */
export const ENTRY_BLOCKS = 4;
export const ENTRY_FIRST_BLOCK = 5;

/** `window`: SND.NXT, SEG.ACK, SND.UNA, RCV.NXT, recovery point, SND.WND and RCV.WND are ENTRY_SEQ to ENTRY_TS_ECR. */
export const ENTRY_CWND = 12;
export const ENTRY_SSTHRESH = 14;
export const ENTRY_IN_FLIGHT = 15;
export const ENTRY_SRTT = 16;
export const ENTRY_RTTVAR = 17;
export const ENTRY_RTO = 18;
export const ENTRY_MIN_RTT = 19;
export const ENTRY_WINDOW_INFO = 20;
/** CWND, SSTHRESH and what is in flight are in units of it. */
export const ENTRY_MSS = 21;

/** New data, `count` segments one right behind the other. */
export const ENTRY_IS_SENT = 1;
/** One segment, of any kind. */
export const ENTRY_IS_SENT_SINGLE = 2;
export const ENTRY_IS_RECEIVED = 3;
/** Segments that came as expected, as long as each other, together. */
export const ENTRY_IS_EXPECTED = 4;
export const ENTRY_IS_SACKS = 5;
export const ENTRY_IS_WINDOW = 6;
export const ENTRY_IS_EVENT = 7;

/** To begin with, so that a quiet flow costs little; it doubles up to 32 KiB. */
const FIRST_WORDS = 32 * ENTRY_WORDS;
const MAX_WORDS = 512 * ENTRY_WORDS;

/** Takes entries: those before word `end`, oldest first. */
export type TakeEntries = (words: Int32Array, doubles: Float64Array, end: number) => void;

/** The entries of one flow, until they are taken. */
export class FlowJournal {
  words = new Int32Array(FIRST_WORDS);
  /** The same memory. */
  doubles = new Float64Array(this.words.buffer);
  #end = 0;
  readonly #take: TakeEntries;

  constructor(take: TakeEntries) {
    this.#take = take;
  }

  /** @returns the first word of a new entry. */
  claim(words: number): number {
    if (this.#end + words > this.words.length) this.#makeRoom();
    const at = this.#end;
    this.#end = at + words;
    return at;
  }

  /** Has all entries taken. */
  drain(): void {
    const end = this.#end;
    if (end === 0) return;
    this.#end = 0;
    this.#take(this.words, this.doubles, end);
  }

  #makeRoom(): void {
    this.drain();
    const words = this.words.length * 2;
    if (words > MAX_WORDS) return;
    this.words = new Int32Array(words);
    this.doubles = new Float64Array(this.words.buffer);
  }
}
