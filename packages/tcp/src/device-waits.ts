import { answersCame } from './answers.ts';
import type { Connection } from './connection.ts';
import { sendSyn } from './control-output.ts';
import { output } from './output.ts';
import { seqDiff } from './seq.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT, TIME_WAIT } from './state.ts';
import { TxLine } from './tx-line.ts';

/** With so many transmit queues known, those that nobody waits for are forgotten. */
const MANY_LINES = 16;

/** Segments that make a turn: who has sent less keeps its place when the queue is full again. */
const TURN_SEGS = 8;

/** Connections that wait for a device: for room, or for its answers. */
export class DeviceWaits {
  #lines: TxLine[] = [];
  /** Connections in all lines. */
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
    // Whose turn it is stands in its line still.
    if (c.txLine === undefined) this.#join(c);
  }

  /** Whether others wait for what a connection would send by: then it has joined them. A bare acknowledgment goes if it fits. */
  mustWait(c: Connection): boolean {
    if (this.#refused === 0) return false;
    const hasData = seqDiff(c.snd.end, c.sndNxt) > 0 || c.rtx.lostOut > 0 || (c.finQueued && !c.finSent);
    if (!hasData || this.#lineOf(c)?.first === undefined) return false;
    c.txBlocked = true;
    this.#join(c);
    return true;
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
   * Those that were refused try again, by turns, until their queue is full. To be called before others send: these have
   * acknowledgments to send by, and would take all room that comes, again and again.
   */
  serve(): void {
    const lines = this.#lines;
    for (let i = 0; i < lines.length; i++) while (this.#serveFirst(lines[i]!));
  }

  /** The connection waits for room no more. */
  forget(c: Connection): void {
    if (c.txLine !== undefined) this.#leave(c);
    c.txBlocked = false;
  }

  clear(): void {
    this.#lines = [];
    this.#refused = 0;
    this.#awaiting = [];
  }

  /** The first in a line sends what it can. It keeps its place until it has had its turn. @returns whether it is the turn of the next. */
  #serveFirst(line: TxLine): boolean {
    const c = line.first;
    if (c === undefined) return false;
    c.txBlocked = false;
    goOn(c);
    const isRefused = c.txBlocked;
    const hasMoved = !line.isOf(c);
    if (isRefused && !hasMoved && c.segsOut - line.segsBefore < TURN_SEGS) return false;
    if (c.txLine !== undefined) this.#leave(c);
    if (isRefused) this.#join(c);
    return !isRefused || hasMoved;
  }

  #join(c: Connection): void {
    c.tcp.stats.TxRingFull++;
    this.#refused++;
    let line = this.#lineOf(c);
    if (line === undefined) {
      if (this.#lines.length >= MANY_LINES) this.#lines = this.#lines.filter(({ first }) => first !== undefined);
      line = new TxLine(c);
      this.#lines.push(line);
    }
    line.push(c);
  }

  #leave(c: Connection): void {
    this.#refused--;
    c.txLine!.remove(c);
  }

  #lineOf(c: Connection): TxLine | undefined {
    const lines = this.#lines;
    for (let i = 0; i < lines.length; i++) if (lines[i]!.isOf(c)) return lines[i];
    return undefined;
  }
}

function goOn(c: Connection): void {
  if (c.state === CLOSED) return;
  const handshake = c.state === SYN_SENT || c.state === SYN_RECEIVED;
  // With early data there is more to send than the SYN-ACK.
  if (handshake && !(c.fastOpen && c.segsOut > 0)) sendSyn(c, true);
  else output(c);
  // What is left of it may be put away.
  if (c.state === TIME_WAIT && !c.txBlocked) c.tcp.touch(c);
}
