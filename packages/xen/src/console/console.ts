import type { Memory } from '@qanat/bytes';
import { ByteRing } from '../xenstore/byte-ring.ts';
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

/** Where a domain's console is. */
export interface ConsoleOptions {
  readonly memory: Memory;
  readonly pageAddr: number;
  /** Sends the event of the console port. */
  notify(): void;
  /** Bytes that wait for room in the ring before output is lost. Default 64 KiB. */
  readonly backlogBytes?: number;
}

const DEFAULT_BACKLOG_BYTES = 0x1_0000;
const encoder = new TextEncoder();

/**
 * A domain's end of its console. Writing never waits: what the ring has no room for is kept, up to a bound, and what
 * goes beyond it is lost and counted. The owner calls `onEvent` for every event of the console port.
 */
export class Console {
  readonly #memory: Memory;
  readonly #notify: () => void;
  readonly #out: ByteRing;
  readonly #in: ByteRing;
  readonly #backlog: Uint8Array;
  readonly #chunk = new Uint8Array(CONSOLE_IN_BYTES);
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #backlogged = 0;
  /** Bytes of output that found no room. */
  lostBytes = 0;
  /** Text that was typed at the other end. */
  onInput: ((text: string) => void) | undefined;

  constructor({ memory, pageAddr, notify, backlogBytes = DEFAULT_BACKLOG_BYTES }: ConsoleOptions) {
    this.#memory = memory;
    this.#notify = notify;
    this.#backlog = new Uint8Array(backlogBytes);
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

  /** Bytes that wait for room in the ring. */
  get backlogBytes(): number {
    return this.#backlogged;
  }

  /** Writes text as UTF-8. */
  write(text: string): void {
    const bytes = encoder.encode(text);
    let kept = Math.min(bytes.length, this.#backlog.length - this.#backlogged);
    // Not in the middle of a character.
    while (kept > 0 && kept < bytes.length && (bytes[kept]! & 0xc0) === 0x80) kept--;
    this.lostBytes += bytes.length - kept;
    this.#backlog.set(kept < bytes.length ? bytes.subarray(0, kept) : bytes, this.#backlogged);
    this.#backlogged += kept;
    this.#flush();
  }

  /** Writes a line. */
  log(line: string): void {
    this.write(`${line}\n`);
  }

  /** There is room again, or input. */
  onEvent(): void {
    this.#flush();
    const came = this.#in.read(this.#chunk, 0, this.#chunk.length);
    if (came <= 0) return;
    if (this.#in.producerWaits) this.#notify();
    const text = this.#decoder.decode(this.#chunk.subarray(0, came), { stream: true });
    if (text !== '') this.onInput?.(text);
  }

  #flush(): void {
    let written = 0;
    while (written < this.#backlogged) {
      const taken = this.#out.write(this.#backlog, written, this.#backlogged - written);
      if (taken <= 0) break;
      written += taken;
    }
    if (written === 0) return;
    this.#backlog.copyWithin(0, written, this.#backlogged);
    this.#backlogged -= written;
    // The reader is not a domain: it waits on the index itself.
    Atomics.notify(this.#memory.i32, this.#out.prodWord);
    this.#notify();
  }
}
