import { answersCame } from './answers.ts';
import type { Connection } from './connection.ts';
import { sendSyn } from './control-output.ts';
import { SYN_RECEIVED, SYN_SENT } from './state.ts';

/** Connections that wait for a device: for room, or for its answers. */
export class DeviceWaits {
  /** Those that were refused, in that order. */
  #blocked: Connection[] = [];
  /** Those whose memory packets under way refer to, though it is not needed any more. */
  #awaiting: Connection[] = [];

  get waitedFor(): boolean {
    return this.#blocked.length > 0 || this.#awaiting.length > 0;
  }

  /** The device has refused a packet. */
  block(c: Connection): void {
    if (c.txBlocked) return;
    c.txBlocked = true;
    c.tcp.stats.TxRingFull++;
    this.#blocked.push(c);
  }

  awaitAnswers(c: Connection): void {
    if (!c.awaitsAnswers) {
      c.awaitsAnswers = true;
      this.#awaiting.push(c);
    }
    c.snd.watch();
  }

  /** The device has room again, or has answered. Call within a batch. */
  ready(): void {
    const awaiting = this.#awaiting;
    const blocked = this.#blocked;
    if (awaiting.length > 0) {
      this.#awaiting = [];
      for (const c of awaiting) {
        c.awaitsAnswers = false;
        answersCame(c);
      }
    }
    this.#blocked = [];
    for (const c of blocked) {
      c.txBlocked = false;
      const handshake = c.state === SYN_SENT || c.state === SYN_RECEIVED;
      // With early data there is more to send than the SYN-ACK.
      if (handshake && !(c.fastOpen && c.segsOut > 0)) sendSyn(c, true);
      else c.tcp.touch(c);
    }
  }

  clear(): void {
    this.#blocked = [];
    this.#awaiting = [];
  }
}
