import type { Flow } from '@qanat/stack';

/** Linux takes no larger piece of a write at once than a GSO packet. */
const MAX_CHUNK_BYTES = 65536;
let zeros = new Uint8Array(1 << 16);

/** What decides how much a socket may queue. */
export interface SendPolicy {
  /** sk_sndbuf in bytes. */
  readonly sndBuf: number;
  /** TCP_NOTSENT_LOWAT, NO_LOWAT for none. */
  readonly lowat: number;
}

/**
 * How much of a write is taken, as Linux's socket layer decides it: a new chunk (what half of the peer's largest
 * window and a GSO packet hold, in whole segments) may begin while less than the send buffer is queued and less than
 * the low-water mark is unsent; a chunk that has begun is filled. What scripts write is zeros.
 */
export class SendBuffer {
  readonly #flow: Flow;
  readonly #policy: SendPolicy;
  /** Room left in the last chunk, as long as any of it is unsent. */
  #chunkRoom = 0;

  constructor(flow: Flow, policy: SendPolicy) {
    this.#flow = flow;
    this.#policy = policy;
  }

  /** Bytes written and not acknowledged. */
  get queued(): number {
    return this.#flow.unacknowledged;
  }

  /** Bytes written and not sent. */
  get unsent(): number {
    return this.#flow.info().tcpi_notsent_bytes;
  }

  /** Whether poll says so: at least a third of the buffer is free, and unsent bytes are below half of the low-water mark. */
  get writable(): boolean {
    const { sndBuf, lowat } = this.#policy;
    return this.queued * 3 <= sndBuf * 2 && this.unsent * 2 < lowat;
  }

  /** Queues what may be queued of `bytes`. @returns how much. */
  write(bytes: number, more: boolean, endOfRecord: boolean): number {
    let taken = 0;
    while (taken < bytes) {
      let room = this.unsent > 0 ? this.#chunkRoom : 0;
      if (room === 0) {
        if (this.queued >= this.#policy.sndBuf || this.unsent >= this.#policy.lowat) break;
        room = this.#chunkBytes();
      }
      const part = Math.min(room, bytes - taken);
      const last = taken + part === bytes;
      // A piece of a larger write is followed at once by the next.
      const queued = this.#flow.write(zeroBytes(part), { more: more || !last, endOfRecord: endOfRecord && last });
      this.#chunkRoom = endOfRecord && last ? 0 : room - queued;
      taken += queued;
      if (queued < part) break;
    }
    if (taken > 0 && taken < bytes) this.#push();
    return taken;
  }

  /** A write that was cut short is not followed at once after all. */
  #push(): void {
    this.#flow.write(zeroBytes(0), { more: false });
  }

  /** Linux's size_goal. */
  #chunkBytes(): number {
    const { tcpi_snd_mss: mss, tcpi_snd_wnd: window } = this.#flow.info();
    const most = Math.min(MAX_CHUNK_BYTES, Math.max(window >>> 1, mss));
    return Math.max(1, Math.floor(most / mss)) * mss;
  }
}

function zeroBytes(bytes: number): Uint8Array {
  if (bytes > zeros.length) zeros = new Uint8Array(bytes);
  return bytes === zeros.length ? zeros : zeros.subarray(0, bytes);
}
