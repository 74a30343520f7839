import { answersCame } from './answers.ts';
import type { Connection } from './connection.ts';
import { sendSyn } from './control-output.ts';
import { output } from './output.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT, TIME_WAIT } from './state.ts';

/** A device that goes on refusing is full: a single refusal may be that of one of its queues. */
const REFUSALS = 4;
/** With so many devices known, those that nobody waits for are forgotten. */
const MANY_DEVICES = 8;

/**
 * The connections that one device has refused, in rounds: in each, everybody may send once. Who is refused without having sent
 * anything stays in the round; a round that only such are left in is over (their queue of the device may be stuck).
 */
class RefusedConnections {
  readonly device: object;
  #round = new Fifo();
  #next = new Fifo();
  /** Refused in a row without having sent anything. */
  #missed = 0;
  #trying: Connection | undefined;

  constructor(device: object) {
    this.device = device;
  }

  get size(): number {
    return this.#round.size + this.#next.size;
  }

  add(c: Connection): void {
    // Whose turn it is gets a place when it is over.
    if (c !== this.#trying) this.#next.push(c);
  }

  /** Lets one of them try. @returns whether it was refused again. */
  serve(): boolean {
    if (this.#round.size === 0 || this.#missed >= this.#round.size) this.#newRound();
    const c = this.#round.shift();
    const { segsOut } = c;
    this.#trying = c;
    c.txBlocked = false;
    goOn(c);
    this.#trying = undefined;
    const missed = c.txBlocked && c.segsOut === segsOut;
    this.#missed = missed ? this.#missed + 1 : 0;
    if (c.txBlocked) (missed ? this.#round : this.#next).push(c);
    return c.txBlocked;
  }

  #newRound(): void {
    this.#missed = 0;
    if (this.#round.size === 0) [this.#round, this.#next] = [this.#next, this.#round];
    else while (this.#next.size > 0) this.#round.push(this.#next.shift());
  }
}

class Fifo {
  readonly #connections: Connection[] = [];
  #head = 0;

  get size(): number {
    return this.#connections.length - this.#head;
  }

  push(c: Connection): void {
    this.#connections.push(c);
  }

  /** There must be one. */
  shift(): Connection {
    const c = this.#connections[this.#head++]!;
    // What is behind the head goes when it is half of all: each is moved once.
    if (2 * this.#head >= this.#connections.length) {
      this.#connections.copyWithin(0, this.#head);
      this.#connections.length -= this.#head;
      this.#head = 0;
    }
    return c;
  }
}

/** Connections that wait for a device: for room, or for its answers. */
export class DeviceWaits {
  #queues: RefusedConnections[] = [];
  #refused = 0;
  /** Those whose memory packets under way refer to, though it is not needed any more. */
  #awaiting: Connection[] = [];

  get waitedFor(): boolean {
    return this.#refused > 0 || this.#awaiting.length > 0;
  }

  /** Whether a device has refused somebody who still waits. */
  get hasRefused(): boolean {
    return this.#refused > 0;
  }

  /** The device has refused a packet. */
  block(c: Connection): void {
    if (c.txBlocked) return;
    c.txBlocked = true;
    c.tcp.stats.TxRingFull++;
    this.#refused++;
    this.#queueOf(c.path.device).add(c);
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
    if (awaiting.length > 0) {
      this.#awaiting = [];
      for (const c of awaiting) {
        c.awaitsAnswers = false;
        answersCame(c);
      }
    }
    this.serve();
  }

  /**
   * Those that were refused try again, by turns, until the device is full. To be called before others send: these have
   * acknowledgments to send by, and would take all room that comes, again and again.
   */
  serve(): void {
    const queues = this.#queues;
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[i]!;
      let refusals = 0;
      for (let left = queue.size; left > 0 && refusals < REFUSALS; left--) {
        this.#refused--;
        if (queue.serve()) refusals++;
      }
    }
  }

  clear(): void {
    this.#queues = [];
    this.#refused = 0;
    this.#awaiting = [];
  }

  #queueOf(device: object): RefusedConnections {
    for (let i = 0; i < this.#queues.length; i++) if (this.#queues[i]!.device === device) return this.#queues[i]!;
    if (this.#queues.length >= MANY_DEVICES) this.#queues = this.#queues.filter(({ size }) => size > 0);
    const queue = new RefusedConnections(device);
    this.#queues.push(queue);
    return queue;
  }
}

function goOn(c: Connection): void {
  if (c.state === CLOSED) return;
  const handshake = c.state === SYN_SENT || c.state === SYN_RECEIVED;
  // With early data there is more to send than the SYN-ACK.
  if (handshake && !(c.fastOpen && c.segsOut > 0)) sendSyn(c, true);
  else if (c.state === TIME_WAIT) c.tcp.touch(c);
  else output(c);
}
