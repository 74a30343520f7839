import type { Kernel } from '@qanat/os';
import type { Samples } from '../protocol.ts';

/** Points a second at most; a picture of ten seconds has a thousand columns. */
const EVERY_US = 1000;
/** A minute of them. */
const MAX_SAMPLES = 65_536;

/** Keeps what the curves are drawn of: bounded, and next to nothing per pass. */
export class Sampler {
  readonly #kernel: Kernel;
  readonly #timeUs = new Float64Array(MAX_SAMPLES);
  readonly #bytes = new Float64Array(MAX_SAMPLES);
  readonly #blockedUs = new Float64Array(MAX_SAMPLES);
  readonly #txUsed = new Int16Array(MAX_SAMPLES);
  #count = 0;
  /** The newest point lies behind the others and may give way: a long sleep may follow it, and then it stays. */
  #isOpen = false;
  #lastUs = Number.NEGATIVE_INFINITY;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Notes how things are. Of points that are close together, the last one before a pause is kept. */
  add(timeUs: number, bytes: number, txUsed: number): void {
    if (this.#isOpen && timeUs - this.#lastUs >= EVERY_US) this.#close();
    const i = this.#count;
    if (i === MAX_SAMPLES) return;
    this.#timeUs[i] = timeUs;
    this.#bytes[i] = bytes;
    this.#blockedUs[i] = this.#kernel.loop.counters.blockedUs;
    this.#txUsed[i] = txUsed;
    this.#isOpen = true;
    const beforeUs = i === 0 ? Number.NEGATIVE_INFINITY : this.#timeUs[i - 1]!;
    this.#lastUs = timeUs;
    if (timeUs - beforeUs >= EVERY_US) this.#close();
  }

  #close(): void {
    this.#count++;
    this.#isOpen = false;
  }

  take(): Samples {
    if (this.#isOpen) this.#close();
    const count = this.#count;
    return {
      timeUs: this.#timeUs.slice(0, count),
      bytes: this.#bytes.slice(0, count),
      blockedUs: this.#blockedUs.slice(0, count),
      txUsed: this.#txUsed.slice(0, count),
    };
  }
}
