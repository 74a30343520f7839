import type { Memory } from '@qanat/bytes';
import { ByteRing, RING_BROKEN } from '../xenstore/byte-ring.ts';
import {
  CONSOLE_IN,
  CONSOLE_IN_BYTES,
  CONSOLE_IN_CONS,
  CONSOLE_IN_PROD,
  CONSOLE_OUT,
  CONSOLE_OUT_BYTES,
  CONSOLE_OUT_CONS,
  CONSOLE_OUT_PROD,
} from './layout.ts';

/** Characters of output that are kept for those who ask later. */
const HISTORY_CHARS = 0x4_0000;
/** Rings full per poll, so that a domain that writes all the time cannot hold the reader. */
const CHUNKS_PER_POLL = 16;

/** The other end of a domain's console: what xenconsoled is in Xen. The domain is hostile: its output is only text. */
export class ConsoleReader {
  readonly #notify: () => void;
  readonly #out: ByteRing;
  readonly #in: ByteRing;
  readonly #chunk = new Uint8Array(CONSOLE_OUT_BYTES);
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #encoder = new TextEncoder();
  #text = '';
  /** Called with new output. */
  onText: ((text: string) => void) | undefined;
  /** The domain left impossible indices in its page: nothing more will be read. */
  broken = false;

  /** @param notify sends the domain an event: there is room, or input. */
  constructor({ memory, pageAddr, notify }: { memory: Memory; pageAddr: number; notify(): void }) {
    this.#notify = notify;
    this.#out = new ByteRing(
      memory,
      pageAddr + CONSOLE_OUT,
      CONSOLE_OUT_BYTES,
      pageAddr + CONSOLE_OUT_PROD,
      pageAddr + CONSOLE_OUT_CONS,
    );
    this.#in = new ByteRing(
      memory,
      pageAddr + CONSOLE_IN,
      CONSOLE_IN_BYTES,
      pageAddr + CONSOLE_IN_PROD,
      pageAddr + CONSOLE_IN_CONS,
    );
  }

  /** The output so far; of a lot of output the last 256 Ki characters. */
  get text(): string {
    return this.#text;
  }

  /** Index into `memory.i32` of the word that changes with new output. */
  get outputWord(): number {
    return this.#out.prodWord;
  }

  /** Takes what has come. @returns whether there may be more. */
  poll(): boolean {
    for (let i = 0; i < CHUNKS_PER_POLL; i++) {
      const came = this.broken ? 0 : this.#out.read(this.#chunk, 0, this.#chunk.length);
      if (came === RING_BROKEN) this.broken = true;
      if (came <= 0) return false;
      if (this.#out.producerWaits) this.#notify();
      this.#append(this.#decoder.decode(this.#chunk.subarray(0, came), { stream: true }));
    }
    return true;
  }

  /** Types text into the domain. @returns bytes that the ring took. */
  type(text: string): number {
    const bytes = this.#encoder.encode(text);
    const taken = this.#in.write(bytes, 0, bytes.length);
    if (taken > 0) this.#notify();
    return Math.max(0, taken);
  }

  #append(text: string): void {
    if (text === '') return;
    this.#text += text;
    if (this.#text.length > HISTORY_CHARS) this.#text = this.#text.slice(-HISTORY_CHARS);
    this.onText?.(text);
  }
}
