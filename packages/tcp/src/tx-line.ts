import { flowQueue } from '@qanat/ipv4';
import type { Connection } from './connection.ts';

/**
 * Connections that a transmit queue of a device has refused, first come first served: a list through the connections
 * themselves. As long as there are any, the device owes a `transmitReady` for that queue.
 */
export class TxLine {
  readonly #device: object;
  /** Of the device's transmit queues. */
  readonly #queue: number;
  first: Connection | undefined;
  /** What it had sent when it became the first, in segments. */
  segsBefore = 0;
  #last: Connection | undefined;

  /** An empty one, for what a connection sends by. */
  constructor(c: Connection) {
    this.#device = c.path.device;
    this.#queue = queueOf(c);
  }

  /** Whether a connection sends by this queue: a device may have other ones since. */
  isOf(c: Connection): boolean {
    return c.path.device === this.#device && queueOf(c) === this.#queue;
  }

  push(c: Connection): void {
    c.txLine = this;
    c.txAhead = this.#last;
    if (this.#last === undefined) this.#begin(c);
    else this.#last.txBehind = c;
    this.#last = c;
  }

  remove(c: Connection): void {
    const { txAhead: ahead, txBehind: behind } = c;
    if (ahead === undefined) this.#begin(behind);
    else ahead.txBehind = behind;
    if (behind === undefined) this.#last = ahead;
    else behind.txAhead = ahead;
    c.txLine = undefined;
    c.txAhead = undefined;
    c.txBehind = undefined;
  }

  #begin(c: Connection | undefined): void {
    this.first = c;
    this.segsBefore = c === undefined ? 0 : c.segsOut;
  }
}

function queueOf(c: Connection): number {
  return flowQueue(c.flowHash, c.path.txQueues);
}
