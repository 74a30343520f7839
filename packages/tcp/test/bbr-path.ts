import { seededRandom } from '@qanat/clock';
import type { Bbr } from '../src/bbr.ts';
import type { BbrState } from '../src/bbr-state.ts';
import type { TcpConfig } from '../src/index.ts';
import { type Flying, Pair } from './pair.ts';

export const MSS = 1448;
const FRAME_BYTES = 1500;

export interface BottleneckOptions {
  bitsPerSecond: number;
  /** Round trip without queue. */
  rttUs: number;
  /** Drop-tail queue in packets. Default: a bandwidth-delay product. */
  queue?: number;
  lossRate?: number;
  seed?: number;
  a?: Partial<TcpConfig>;
  b?: Partial<TcpConfig>;
}

/** A flow of BBR over one bottleneck on virtual time, and what the bottleneck saw. */
export class BbrPath {
  readonly pair: Pair;
  bitsPerSecond: number;
  rttUs: number;
  queue: number;
  lossRate: number;
  drops = 0;
  #idleAtUs = 0;

  constructor(o: BottleneckOptions) {
    this.bitsPerSecond = o.bitsPerSecond;
    this.rttUs = o.rttUs;
    this.queue = o.queue ?? Math.ceil((o.bitsPerSecond * o.rttUs) / 8e6 / FRAME_BYTES);
    this.lossRate = o.lossRate ?? 0;
    const random = seededRandom(o.seed ?? 1);
    const link = (s: Flying): number[] => {
      if (s.from === 'b') return [this.rttUs / 2];
      const usPerFrame = ((s.payload.length + 52) * 8e6) / this.bitsPerSecond;
      const startUs = Math.max(s.atUs, this.#idleAtUs);
      if ((startUs - s.atUs) / usPerFrame >= this.queue || (s.payload.length > 0 && random.float() < this.lossRate)) {
        this.drops++;
        return [];
      }
      this.#idleAtUs = startUs + usPerFrame;
      return [Math.ceil(this.#idleAtUs - s.atUs + this.rttUs / 2)];
    };
    const a = { congestion: 'bbr', sndBuf: 4 << 20, ...o.a } as const;
    this.pair = new Pair({ link, a, b: { rcvBuf: 4 << 20, ...o.b }, memoryBytes: 32 << 20 }).connect();
  }

  get state(): BbrState {
    return (this.pair.a.c.cc as Bbr).state;
  }

  get nowUs(): number {
    return this.pair.time.clock.now();
  }

  /** The model's estimate in bits of payload per second. */
  get estimate(): number {
    return this.state.maxBw * MSS * 8e6;
  }

  /** The application has so much to send. */
  write(bytes: number): this {
    this.pair.a.toWrite += bytes;
    this.pair.a.pump();
    return this;
  }

  /** Runs without an audit at each step: it walks the whole window. */
  run(ms: number): this {
    this.pair.time.run(this.nowUs + ms * 1000);
    return this;
  }

  /** Runs until something holds. @returns milliseconds that took. */
  until(done: () => boolean, limitMs: number): number {
    const fromUs = this.nowUs;
    while (!done()) {
      if (this.nowUs - fromUs > limitMs * 1000 || !this.pair.time.step()) throw new Error(`not within ${limitMs} ms`);
    }
    return (this.nowUs - fromUs) / 1000;
  }

  /** Part of the bottleneck that the payload uses in the next `ms`, headers counted. */
  utilisation(ms: number): number {
    const before = this.pair.b.read;
    this.run(ms);
    return ((this.pair.b.read - before) * 8 * (FRAME_BYTES / MSS)) / (this.bitsPerSecond * (ms / 1000));
  }
}
