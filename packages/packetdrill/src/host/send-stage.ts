import { type Clock, NEVER, Timer, type TimerQueue } from '@qanat/clock';
import type { Flow } from '@qanat/stack';

const ZEROS = new Uint8Array(65536);
/** Linux takes no larger piece of a write at once than a GSO packet. */
const MAX_CHUNK_BYTES = 65536;

interface Piece {
  bytes: number;
  /** MSG_EOR: what follows starts a new segment. */
  readonly endOfRecord: boolean;
}

/** What decides how much a socket may queue and when a partial segment leaves. */
export interface SendPolicy {
  /** sk_sndbuf in bytes. */
  readonly sndBuf: number;
  /** TCP_NOTSENT_LOWAT, NO_LOWAT for none. */
  readonly lowat: number;
  readonly cork: boolean;
  readonly noDelay: boolean;
}

/**
 * Between write() and the flow, as Linux's socket layer works (section "sndbuf model" of its behaviour): how much is
 * taken, what MSG_MORE and TCP_CORK hold back, and where MSG_EOR forbids to join. The bytes are zeros, so only
 * their number is kept.
 */
export class SendStage {
  readonly #flow: Flow;
  readonly #policy: SendPolicy;
  readonly #clock: Clock;
  readonly #timers: TimerQueue;
  readonly #pieces: Piece[] = [];
  #staged = 0;
  /** The flow's last byte ends a record: nothing more until all of it is sent. */
  #recordEnded = false;
  /** A partial segment is held by MSG_MORE; `#heldSegsIn` was the count of segments received then. */
  #held = false;
  #heldSegsIn = 0;
  readonly #release: Timer;
  /** Room left in the last chunk: it is filled up even where a new chunk may not begin. */
  #chunkRoom = 0;

  constructor(flow: Flow, policy: SendPolicy, clock: Clock, timers: TimerQueue) {
    this.#flow = flow;
    this.#policy = policy;
    this.#clock = clock;
    this.#timers = timers;
    this.#release = new Timer(() => this.flush());
  }

  /** Bytes written and not acknowledged. */
  get queued(): number {
    return this.#flow.unacknowledged + this.#staged;
  }

  /** Bytes written and not sent. */
  get unsent(): number {
    return this.#flow.info().tcpi_notsent_bytes + this.#staged;
  }

  /** Whether poll says so: at least a third of the buffer is free, and unsent bytes are below half of the low-water mark. */
  get writable(): boolean {
    const { sndBuf, lowat } = this.#policy;
    return this.queued * 3 <= sndBuf * 2 && this.unsent * 2 < lowat;
  }

  /** Takes what may be taken of `bytes`. @returns how much. */
  write(bytes: number, more: boolean, endOfRecord: boolean): number {
    const chunk = this.#chunkBytes();
    let taken = 0;
    while (taken < bytes) {
      const room = this.unsent > 0 ? this.#chunkRoom : 0;
      if (room === 0) {
        if (this.queued >= this.#policy.sndBuf || this.unsent >= this.#policy.lowat) break;
        this.#chunkRoom = chunk;
        const part = Math.min(chunk, bytes - taken);
        this.#take(part, more, endOfRecord && taken + part === bytes);
        taken += part;
        continue;
      }
      const part = Math.min(room, bytes - taken);
      this.#take(part, more, endOfRecord && taken + part === bytes);
      taken += part;
    }
    return taken;
  }

  #take(bytes: number, more: boolean, endOfRecord: boolean): void {
    this.#chunkRoom = endOfRecord ? 0 : this.#chunkRoom - bytes;
    const last = this.#pieces.at(-1);
    if (last && !last.endOfRecord && !endOfRecord) last.bytes += bytes;
    else this.#pieces.push({ bytes, endOfRecord });
    this.#staged += bytes;
    if (!more) this.#held = false;
    this.#drain(more || this.#policy.cork);
    if (this.#staged === 0 || this.#recordEnded) return;
    if (more && !this.#policy.cork && !this.#held) {
      this.#held = true;
      this.#heldSegsIn = this.#flow.info().tcpi_segs_in;
    }
    if (!this.#release.armed) this.#timers.arm(this.#release, this.#clock.now() + this.#flow.info().tcpi_rto);
  }

  /** Linux's size_goal: what fits half of the largest window seen and 64 KB, in whole segments. */
  #chunkBytes(): number {
    const info = this.#flow.info();
    const most = Math.min(MAX_CHUNK_BYTES, Math.max(info.tcpi_snd_wnd >>> 1, info.tcpi_snd_mss));
    return Math.max(1, Math.floor(most / info.tcpi_snd_mss)) * info.tcpi_snd_mss;
  }

  /** Sends everything, partial segments too. */
  flush(): void {
    this.#held = false;
    this.#drain(false);
  }

  /** Hands everything to the flow, records joined or not: the socket is being closed. */
  finish(): void {
    this.#recordEnded = false;
    while (this.#staged > 0) {
      this.#recordEnded = false;
      if (!this.#drain(false)) break;
    }
    this.#timers.cancel(this.#release);
  }

  /** Looks at what the last step changed: records that are sent, acknowledgments that let a partial segment go. */
  refresh(): void {
    if (this.#staged === 0) return;
    const { cork, noDelay } = this.#policy;
    const info = this.#flow.info();
    if (this.#held && info.tcpi_segs_in !== this.#heldSegsIn && (noDelay || info.tcpi_unacked === 0))
      this.#held = false;
    this.#drain(cork || this.#held);
  }

  /** @returns whether anything went down. */
  #drain(hold: boolean): boolean {
    let moved = false;
    for (;;) {
      if (this.#recordEnded && this.#flow.info().tcpi_notsent_bytes > 0) break;
      this.#recordEnded = false;
      const piece = this.#pieces[0];
      if (!piece) break;
      const { tcpi_snd_mss: mss } = this.#flow.info();
      const last = this.#pieces.length === 1 && !piece.endOfRecord;
      let bytes = piece.bytes;
      if (hold && last) bytes -= (this.#flow.info().tcpi_notsent_bytes + bytes) % mss;
      if (bytes <= 0) break;
      const taken = this.#handDown(bytes);
      if (taken === 0) break;
      moved = true;
      piece.bytes -= taken;
      this.#staged -= taken;
      if (piece.bytes > 0) {
        if (hold && last) break;
        continue;
      }
      this.#recordEnded = piece.endOfRecord;
      this.#pieces.shift();
    }
    if (this.#staged === 0) {
      this.#held = false;
      this.#timers.cancel(this.#release);
    }
    return moved;
  }

  #handDown(bytes: number): number {
    const part = Math.min(bytes, ZEROS.length);
    return this.#flow.write(part === ZEROS.length ? ZEROS : ZEROS.subarray(0, part));
  }

  /** Nothing will be sent any more. */
  discard(): void {
    this.#pieces.length = 0;
    this.#staged = 0;
    this.#timers.cancel(this.#release);
  }

  get deadlineUs(): number {
    return this.#release.armed ? this.#release.deadlineUs : NEVER;
  }
}
