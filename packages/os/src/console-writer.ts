import type { Memory } from '@qanat/bytes';

/** `struct xencons_interface` (xen/include/public/io/console.h). */
const CONSOLE_OUT = 1024;
const CONSOLE_OUT_BYTES = 2048;
const CONSOLE_OUT_CONS = 3080;
const CONSOLE_OUT_PROD = 3084;
/** Bytes kept while the ring is full; older text goes first to the reader, newer is dropped. */
const MAX_WAITING_BYTES = 0x1_0000;

/** The output of a domain's console: a byte ring that Dom0 reads. */
export class ConsoleWriter {
  readonly #memory: Memory;
  readonly #addr: number;
  readonly #notify: () => void;
  readonly #encoder = new TextEncoder();
  #waiting = new Uint8Array(0);
  /** Bytes dropped because nobody read. */
  droppedBytes = 0;

  constructor(memory: Memory, addr: number, notify: () => void) {
    this.#memory = memory;
    this.#addr = addr;
    this.#notify = notify;
  }

  write(text: string): void {
    const bytes = this.#encoder.encode(text);
    if (this.#waiting.length + bytes.length > MAX_WAITING_BYTES) {
      this.droppedBytes += bytes.length;
      return;
    }
    const all = new Uint8Array(this.#waiting.length + bytes.length);
    all.set(this.#waiting);
    all.set(bytes, this.#waiting.length);
    this.#waiting = all;
    this.onEvent();
  }

  /** The reader has made room. */
  onEvent(): void {
    const { i32, u8 } = this.#memory;
    const prodIndex = (this.#addr + CONSOLE_OUT_PROD) >>> 2;
    const prod = Atomics.load(i32, prodIndex);
    const used = (prod - Atomics.load(i32, (this.#addr + CONSOLE_OUT_CONS) >>> 2)) >>> 0;
    const taken = Math.min(this.#waiting.length, Math.max(0, CONSOLE_OUT_BYTES - used));
    if (taken === 0) return;
    for (let i = 0; i < taken; i++) {
      u8[this.#addr + CONSOLE_OUT + ((prod + i) & (CONSOLE_OUT_BYTES - 1))] = this.#waiting[i]!;
    }
    Atomics.store(i32, prodIndex, (prod + taken) | 0);
    this.#waiting = this.#waiting.slice(taken);
    this.#notify();
  }
}
