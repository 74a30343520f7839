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
  #nextUs = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Whether it is time for another point. */
  due(): boolean {
    return this.#kernel.clock.now() >= this.#nextUs;
  }

  add(timeUs: number, bytes: number, txUsed: number): void {
    this.#nextUs = timeUs + EVERY_US;
    if (this.#count === MAX_SAMPLES) return;
    const i = this.#count++;
    this.#timeUs[i] = timeUs;
    this.#bytes[i] = bytes;
    this.#blockedUs[i] = this.#kernel.loop.counters.blockedUs;
    this.#txUsed[i] = txUsed;
  }

  take(): Samples {
    const count = this.#count;
    return {
      timeUs: this.#timeUs.slice(0, count),
      bytes: this.#bytes.slice(0, count),
      blockedUs: this.#blockedUs.slice(0, count),
      txUsed: this.#txUsed.slice(0, count),
    };
  }
}
