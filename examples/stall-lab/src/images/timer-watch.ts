import type { TcpStats } from '@qanat/tcp';
import type { TimersRan } from '../protocol.ts';

/** Most that are noted of each timer; a run of ten minutes that does nothing else has fewer. */
const MAX_NOTED = 8192;

/** Notes when timers of TCP run out, by the counters of the stack: next to nothing per look. */
export class TimerWatch {
  readonly #retransmissionUs: number[] = [];
  readonly #delayedAckUs: number[] = [];
  readonly #stats: Pick<TcpStats, 'TCPTimeouts' | 'DelayedACKs'>;
  #timeouts: number;
  #delayedAcks: number;

  constructor(stats: Pick<TcpStats, 'TCPTimeouts' | 'DelayedACKs'>) {
    this.#stats = stats;
    this.#timeouts = stats.TCPTimeouts;
    this.#delayedAcks = stats.DelayedACKs;
  }

  get ran(): TimersRan {
    return { retransmissionUs: this.#retransmissionUs, delayedAckUs: this.#delayedAckUs };
  }

  look(nowUs: number): void {
    const { TCPTimeouts, DelayedACKs } = this.#stats;
    if (TCPTimeouts !== this.#timeouts) {
      this.#timeouts = TCPTimeouts;
      if (this.#retransmissionUs.length < MAX_NOTED) this.#retransmissionUs.push(nowUs);
    }
    if (DelayedACKs !== this.#delayedAcks) {
      this.#delayedAcks = DelayedACKs;
      if (this.#delayedAckUs.length < MAX_NOTED) this.#delayedAckUs.push(nowUs);
    }
  }
}
