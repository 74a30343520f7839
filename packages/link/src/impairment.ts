import { NEVER, type Random } from '@qanat/clock';

/** Loss in bursts by the Gilbert-Elliott model: a link that is good or bad, and changes its state frame by frame. */
export interface BurstLoss {
  /** Chance per frame that a good link turns bad. */
  readonly goodToBad: number;
  /** Chance per frame that a bad link turns good; its inverse is the mean length of a burst in frames. */
  readonly badToGood: number;
  /** Chance to lose a frame while bad. Default 1. */
  readonly lossBad?: number;
  /** Chance to lose a frame while good. Default 0. */
  readonly lossGood?: number;
}

/** What is wrong with a link. Rates are chances per frame in 0..1; what is left out is perfect. */
export interface ImpairmentOptions {
  readonly lossRate?: number;
  readonly burst?: BurstLoss;
  /** One way, in microseconds. */
  readonly delayUs?: number;
  /** Up to so much more or less delay, uniform. It does not reorder frames. */
  readonly jitterUs?: number;
  /** Serialization at this rate, behind a drop-tail queue. */
  readonly rateBitsPerSecond?: number;
  /** Most frames that wait for (or are in) serialization. Default 1000; without a rate nothing queues. */
  readonly queuePackets?: number;
  /** Most bytes that wait for (or are in) serialization. Default: no bound but `queuePackets`. */
  readonly queueBytes?: number;
  readonly duplicateRate?: number;
  /** Frames that fall behind by `reorderUs`, while later ones pass them. */
  readonly reorderRate?: number;
  /** Default 1000. */
  readonly reorderUs?: number;
  /** Frames in which one bit is flipped. */
  readonly corruptRate?: number;
  /** The cable is out: nothing gets through. What is under way arrives. */
  readonly down?: boolean;
}

/** What shall happen to one frame. One object per Impairment, overwritten by each `plan`. */
export interface ImpairmentPlan {
  /** When it comes out at the other end, in integer microseconds; NEVER: it is lost. */
  deliverAtUs: number;
  /** When a second copy comes out; NEVER: there is none. */
  duplicateAtUs: number;
  /** The bit to flip: bit `corruptBit & 7` of byte `corruptBit >>> 3`; -1: none. */
  corruptBit: number;
  /** It is lost because the queue was full. */
  queueFull: boolean;
}

/** What an impairment did so far, in frames. */
export interface ImpairmentCounters {
  lost: number;
  queueDrops: number;
  duplicated: number;
  reordered: number;
  corrupted: number;
}

const DEFAULT_QUEUE_PACKETS = 1000;
const DEFAULT_REORDER_US = 1000;

function checkRate(name: string, value: number): number {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name} is ${value}: it must be in 0..1`);
  return value;
}

function checkAmount(name: string, value: number): number {
  if (!(value >= 0 && value < NEVER)) throw new RangeError(`${name} is ${value}: it must not be negative`);
  return value;
}

/**
 * Decides about each frame of one direction of a link: first the drop-tail queue and the rate, then loss on the wire,
 * then the delay. It holds no frames; who calls it delivers by the plan. The same seed gives the same decisions.
 */
export class Impairment {
  readonly counters: ImpairmentCounters = { lost: 0, queueDrops: 0, duplicated: 0, reordered: 0, corrupted: 0 };
  readonly #random: Random;
  #lossRate = 0;
  #burst: Required<BurstLoss> | undefined;
  #delayUs = 0;
  #jitterUs = 0;
  #usPerByte = 0;
  #queuePackets = DEFAULT_QUEUE_PACKETS;
  #queueBytes = NEVER;
  #duplicateRate = 0;
  #reorderRate = 0;
  #reorderUs = DEFAULT_REORDER_US;
  #corruptRate = 0;
  #down = false;
  readonly #plan: ImpairmentPlan = { deliverAtUs: NEVER, duplicateAtUs: NEVER, corruptBit: -1, queueFull: false };
  /** When the frames in the queue will have been sent: a ring. Its length bounds the queue. */
  #sentUs = new Float64Array(0);
  /** Their lengths: a ring beside it, and the sum. */
  #lengths = new Float64Array(0);
  #queuedBytes = 0;
  #queueHead = 0;
  #queueLength = 0;
  #idleAtUs = 0;
  #lastDeliverUs = 0;
  #bad = false;

  /** @throws RangeError when a rate is not in 0..1 or an amount is negative. */
  constructor(options: ImpairmentOptions, random: Random) {
    this.#random = random;
    this.change(options);
  }

  /**
   * The link is another from now on: what `options` leave out is perfect. What is under way or in the queue keeps its
   * times, and nothing that is sent later overtakes it.
   * @throws RangeError when a rate is not in 0..1 or an amount is negative; then nothing changes.
   */
  change(options: ImpairmentOptions): void {
    const { burst, queuePackets = DEFAULT_QUEUE_PACKETS, queueBytes = NEVER } = options;
    const lossRate = checkRate('lossRate', options.lossRate ?? 0);
    const delayUs = checkAmount('delayUs', options.delayUs ?? 0);
    const jitterUs = checkAmount('jitterUs', options.jitterUs ?? 0);
    const duplicateRate = checkRate('duplicateRate', options.duplicateRate ?? 0);
    const reorderRate = checkRate('reorderRate', options.reorderRate ?? 0);
    const reorderUs = checkAmount('reorderUs', options.reorderUs ?? DEFAULT_REORDER_US);
    const corruptRate = checkRate('corruptRate', options.corruptRate ?? 0);
    const rate = checkAmount('rateBitsPerSecond', options.rateBitsPerSecond ?? 0);
    if (!(Number.isInteger(queuePackets) && queuePackets >= 1 && queuePackets <= 0x10_0000)) {
      throw new RangeError(`queuePackets is ${queuePackets}: it must be an integer in 1..1048576`);
    }
    if (!(queueBytes >= 1)) throw new RangeError(`queueBytes is ${queueBytes}: it must be at least 1`);
    let checked: Required<BurstLoss> | undefined;
    if (burst !== undefined) {
      const { goodToBad, badToGood, lossBad = 1, lossGood = 0 } = burst;
      checkRate('burst.goodToBad', goodToBad);
      checkRate('burst.badToGood', badToGood);
      checkRate('burst.lossBad', lossBad);
      checkRate('burst.lossGood', lossGood);
      checked = { goodToBad, badToGood, lossBad, lossGood };
    }
    this.#lossRate = lossRate;
    this.#burst = checked;
    if (checked === undefined) this.#bad = false;
    this.#delayUs = delayUs;
    this.#jitterUs = jitterUs;
    this.#duplicateRate = duplicateRate;
    this.#reorderRate = reorderRate;
    this.#reorderUs = reorderUs;
    this.#corruptRate = corruptRate;
    this.#usPerByte = rate === 0 ? 0 : 8e6 / rate;
    this.#queuePackets = queuePackets;
    this.#queueBytes = queueBytes;
    this.#down = options.down ?? false;
    if (rate !== 0 && queuePackets > this.#sentUs.length) this.#growQueue(queuePackets);
  }

  /**
   * @param nowUs when the frame enters the link; does not decrease from call to call. @param bytes its length.
   * @returns the one plan object of this impairment.
   */
  plan(nowUs: number, bytes: number): ImpairmentPlan {
    const plan = this.#plan;
    plan.deliverAtUs = NEVER;
    plan.duplicateAtUs = NEVER;
    plan.corruptBit = -1;
    plan.queueFull = false;
    if (this.#down) {
      this.counters.lost++;
      return plan;
    }
    const sentUs = this.#serialize(nowUs, bytes);
    if (sentUs === NEVER) {
      this.counters.queueDrops++;
      plan.queueFull = true;
      return plan;
    }
    if (this.#isLost()) {
      this.counters.lost++;
      return plan;
    }
    const jitterUs = this.#jitterUs === 0 ? 0 : (this.#random.float() * 2 - 1) * this.#jitterUs;
    const deliverAtUs = Math.max(Math.ceil(sentUs + Math.max(0, this.#delayUs + jitterUs)), this.#lastDeliverUs);
    if (this.#chance(this.#reorderRate)) {
      this.counters.reordered++;
      plan.deliverAtUs = deliverAtUs + Math.ceil(this.#reorderUs);
    } else {
      this.#lastDeliverUs = deliverAtUs;
      plan.deliverAtUs = deliverAtUs;
    }
    if (this.#chance(this.#duplicateRate)) {
      this.counters.duplicated++;
      plan.duplicateAtUs = plan.deliverAtUs;
    }
    if (bytes > 0 && this.#chance(this.#corruptRate)) {
      this.counters.corrupted++;
      plan.corruptBit = Math.floor(this.#random.float() * bytes * 8);
    }
    return plan;
  }

  /** Frames that wait for or are in serialization at `nowUs`. */
  queued(nowUs: number): number {
    while (this.#queueLength > 0 && this.#sentUs[this.#queueHead]! <= nowUs) {
      this.#queuedBytes -= this.#lengths[this.#queueHead]!;
      this.#queueHead = this.#queueHead + 1 < this.#sentUs.length ? this.#queueHead + 1 : 0;
      this.#queueLength--;
    }
    return this.#queueLength;
  }

  /** Bytes of the frames that wait for or are in serialization at `nowUs`. */
  queuedBytes(nowUs: number): number {
    this.queued(nowUs);
    return this.#queuedBytes;
  }

  /** @returns when the frame will have left the queue and the sender, or NEVER when the queue is full. */
  #serialize(nowUs: number, bytes: number): number {
    if (this.#usPerByte === 0) return nowUs;
    const capacity = this.#sentUs.length;
    if (this.queued(nowUs) >= this.#queuePackets) return NEVER;
    const freeUs = Math.max(nowUs, this.#idleAtUs);
    const sentUs = freeUs + bytes * this.#usPerByte;
    if (sentUs - nowUs > this.#queueBytes * this.#usPerByte) return NEVER;
    this.#idleAtUs = sentUs;
    const tail = this.#queueHead + this.#queueLength++;
    const at = tail < capacity ? tail : tail - capacity;
    this.#sentUs[at] = sentUs;
    this.#lengths[at] = bytes;
    this.#queuedBytes += bytes;
    return sentUs;
  }

  #growQueue(capacity: number): void {
    const sentUs = new Float64Array(capacity);
    const lengths = new Float64Array(capacity);
    const old = this.#sentUs;
    for (let i = 0; i < this.#queueLength; i++) {
      const at = (this.#queueHead + i) % old.length;
      sentUs[i] = old[at]!;
      lengths[i] = this.#lengths[at]!;
    }
    this.#sentUs = sentUs;
    this.#lengths = lengths;
    this.#queueHead = 0;
  }

  #isLost(): boolean {
    const burst = this.#burst;
    if (burst !== undefined) {
      if (this.#chance(this.#bad ? burst.badToGood : burst.goodToBad)) this.#bad = !this.#bad;
      if (this.#chance(this.#bad ? burst.lossBad : burst.lossGood)) return true;
    }
    return this.#chance(this.#lossRate);
  }

  /** Draws only for what can go either way, so that an option left out does not shift the others' decisions. */
  #chance(rate: number): boolean {
    return rate > 0 && (rate >= 1 || this.#random.float() < rate);
  }
}
