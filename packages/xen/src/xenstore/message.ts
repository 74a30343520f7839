import { type ByteRing, RING_BROKEN } from './byte-ring.ts';
import { XENSTORE_PAYLOAD_MAX, XS_HEADER_BYTES } from './wire.ts';

/** One message of the protocol: the four header words (len is the payload's) and the payload. */
export interface XenstoreMessage {
  readonly type: number;
  readonly reqId: number;
  readonly txId: number;
  readonly payload: Uint8Array;
}

/** @returns the message as it goes over the wire. */
export function encodeMessage(type: number, reqId: number, txId: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(XS_HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, reqId, true);
  view.setUint32(8, txId, true);
  view.setUint32(12, payload.length, true);
  bytes.set(payload, XS_HEADER_BYTES);
  return bytes;
}

/** What `MessageReader.read` found besides a message. */
export const READ_EMPTY = 0;
export const READ_BAD_INDEX = 1;
export const READ_BAD_LENGTH = 2;

/** Puts messages together from a ring that is smaller than a message. Never holds more than one. */
export class MessageReader {
  readonly #header = new Uint8Array(XS_HEADER_BYTES);
  readonly #view = new DataView(this.#header.buffer);
  #payload: Uint8Array | undefined;
  #have = 0;
  /** Whether a producer may sleep on room that was made since this was last cleared. */
  producerWaits = false;

  /** Takes one message if all of it has come. */
  read(ring: ByteRing): XenstoreMessage | typeof READ_EMPTY | typeof READ_BAD_INDEX | typeof READ_BAD_LENGTH {
    if (this.#payload === undefined) {
      const state = this.#fill(ring, this.#header);
      if (state !== XS_HEADER_BYTES) return state === RING_BROKEN ? READ_BAD_INDEX : READ_EMPTY;
      const length = this.#view.getUint32(12, true);
      if (length > XENSTORE_PAYLOAD_MAX) {
        this.reset();
        return READ_BAD_LENGTH;
      }
      this.#payload = new Uint8Array(length);
      this.#have = 0;
    }
    const payload = this.#payload;
    const state = this.#fill(ring, payload);
    if (state !== payload.length) return state === RING_BROKEN ? READ_BAD_INDEX : READ_EMPTY;
    this.#payload = undefined;
    this.#have = 0;
    return {
      type: this.#view.getUint32(0, true),
      reqId: this.#view.getUint32(4, true),
      txId: this.#view.getUint32(8, true),
      payload,
    };
  }

  /** Forgets a message that has come in part. */
  reset(): void {
    this.#payload = undefined;
    this.#have = 0;
  }

  #fill(ring: ByteRing, into: Uint8Array): number {
    while (this.#have < into.length) {
      const came = ring.read(into, this.#have, into.length - this.#have);
      if (came === RING_BROKEN) return RING_BROKEN;
      if (came === 0) break;
      if (ring.producerWaits) this.producerWaits = true;
      this.#have += came;
    }
    return this.#have;
  }
}

/** A queue of encoded messages that are cut to pieces as the ring has room. */
export class MessageWriter {
  #queue: Uint8Array[] = [];
  #head = 0;
  #offset = 0;
  #queuedBytes = 0;

  /** Messages of which something still has to be written. */
  get length(): number {
    return this.#queue.length - this.#head;
  }

  /** Bytes still to be written. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  push(message: Uint8Array): void {
    this.#queue.push(message);
    this.#queuedBytes += message.length;
  }

  /** Writes what fits. @returns bytes written (then the peer has to be notified), or RING_BROKEN. */
  flush(ring: ByteRing): number {
    let written = 0;
    while (this.#head < this.#queue.length) {
      const message = this.#queue[this.#head]!;
      const taken = ring.write(message, this.#offset, message.length - this.#offset);
      if (taken === RING_BROKEN) return RING_BROKEN;
      if (taken === 0) break;
      written += taken;
      this.#queuedBytes -= taken;
      this.#offset += taken;
      if (this.#offset === message.length) {
        this.#offset = 0;
        this.#head++;
      }
    }
    if (this.#head === this.#queue.length) this.clear();
    else if (this.#head > 64) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return written;
  }

  clear(): void {
    this.#queue = [];
    this.#head = 0;
    this.#offset = 0;
    this.#queuedBytes = 0;
  }
}
