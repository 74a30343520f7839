import { NEVER, Timer } from '@qanat/clock';
import type { TcpConfig } from './config.ts';
import { Connection } from './connection.ts';
import type { ConnectionUser, TcpContext } from './context.ts';
import { DeadlineHeap } from './deadline-heap.ts';
import { Demux, grown } from './demux.ts';
import { DormantState, isQuiet, type Rarities } from './dormant-state.ts';
import type { TcpPath } from './network.ts';
import { seqGeq, seqLt } from './seq.ts';
import { SYN_RECEIVED } from './state.ts';

/** When connections are put to sleep: memory against the work of waking them. */
export interface SleepOptions {
  /** So many stay awake at any rate. Default 256. */
  readonly mostAwake?: number;
  /** Silence after which one sleeps, in microseconds. Default 100 ms. */
  readonly sleepAfterUs?: number;
}

const MOST_AWAKE = 256;
const SLEEP_AFTER_US = 100_000;
/** Bounds of what one timer does, so that it makes no pause: slots looked at, connections put to sleep, deadlines met. */
const LOOKS_PER_TURN = 16_384;
const SLEEPS_PER_TURN = 256;
const DEADLINES_PER_TURN = 1024;
/** From one turn to the next while there is more to do. */
const TURN_US = 2_000;

const AWAKE = 0;
/** Established, and silent for a while: a row of numbers. */
const ASLEEP = 1;
/** In TIME-WAIT: a few words (RFC 9293 section 3.6.1 asks for no more). */
const WAITS = 2;

/**
 * All connections of a host, by slot. Those with something to do are objects. An established one that has been silent
 * for a while, and one in TIME-WAIT, is a row of numbers; a segment, a call of its user or a deadline wakes it, and
 * nobody can tell that it slept.
 */
export class ConnectionTable {
  readonly #tcp: TcpContext;
  readonly #mostAwake: number;
  readonly #sleepAfterUs: number;
  readonly #demux: Demux;
  readonly #state = new DormantState();
  #awakeCount = 0;
  // By slot:
  readonly #awake: (Connection | undefined)[] = [];
  readonly #configs: (TcpConfig | undefined)[] = [];
  readonly #paths: (TcpPath | undefined)[] = [];
  readonly #users: (ConnectionUser | undefined)[] = [];
  readonly #rare = new Map<number, Rarities>();
  #kinds = new Uint8Array(0);
  #rows = new Int32Array(1);
  /** Counts the uses of a slot, and the sleeps in it. */
  #generations = new Int32Array(1);
  #serials = new Int32Array(1);
  readonly #deadlines = new DeadlineHeap();
  readonly #deadlineTimer = new Timer((nowUs) => this.#deadlinesCome(nowUs));
  readonly #sleepTimer = new Timer((nowUs) => this.#putToSleep(nowUs));
  /** Where the look for the silent goes on, slots left of this round, and whether it has met any that will sleep later. */
  #hand = 0;
  #left = 0;
  #laterSleepers = false;

  /** @param key secret words for the demultiplexer. */
  constructor(tcp: TcpContext, key: readonly [number, number], options: SleepOptions = {}) {
    this.#tcp = tcp;
    this.#demux = new Demux(...key);
    this.#mostAwake = options.mostAwake ?? MOST_AWAKE;
    this.#sleepAfterUs = options.sleepAfterUs ?? SLEEP_AFTER_US;
  }

  get size(): number {
    return this.#demux.size;
  }

  /** Connections that are objects. */
  get awake(): number {
    return this.#awakeCount;
  }

  /** Those in TIME-WAIT that are a few words. */
  get waiting(): number {
    return this.#state.waits.rows;
  }

  /** @returns the connection of a segment, awake. */
  find(local: number, localPort: number, remote: number, remotePort: number): Connection | undefined {
    const slot = this.#demux.find(local, localPort, remote, remotePort);
    return slot < 0 ? undefined : (this.#awake[slot] ?? this.wake(slot));
  }

  /** As `find`, but of one that sleeps, or waits in TIME-WAIT, nothing: such a one has nothing in flight. */
  findAwake(local: number, localPort: number, remote: number, remotePort: number): Connection | undefined {
    const slot = this.#demux.find(local, localPort, remote, remotePort);
    return slot < 0 ? undefined : this.#awake[slot];
  }

  /** The connection that an ICMP error quotes, if the sequence number is in flight (RFC 5927 section 4.1). */
  quoted(local: number, localPort: number, remote: number, remotePort: number, seq: number): Connection | undefined {
    const c = this.findAwake(local, localPort, remote, remotePort);
    if (c === undefined) return undefined;
    const from = c.state === SYN_RECEIVED ? c.iss : c.sndUna;
    return seqGeq(seq, from) && seqLt(seq, c.sndNxt) ? c : undefined;
  }

  has(local: number, localPort: number, remote: number, remotePort: number): boolean {
    return this.#demux.find(local, localPort, remote, remotePort) >= 0;
  }

  add(c: Connection): void {
    const slot = this.#demux.add(c.localAddress, c.localPort, c.remoteAddress, c.remotePort);
    if (slot >= this.#kinds.length) this.#grow();
    c.slot = slot;
    c.generation = this.#generations[slot] = (this.#generations[slot]! + 1) | 0;
    this.#rise(c);
  }

  /** Takes out a connection that has come to its end. */
  remove(c: Connection): void {
    const { slot } = c;
    if (!this.#holds(c)) return;
    if (this.#awake[slot] === c) {
      this.#awake[slot] = undefined;
      this.#awakeCount--;
      this.#demux.remove(slot);
    } else if (this.#kinds[slot] === WAITS) {
      this.#endWait(slot);
    }
  }

  /** Whether a connection that was retired is still in TIME-WAIT. */
  stillWaits(c: Connection): boolean {
    return this.#holds(c);
  }

  /** From now on a connection in TIME-WAIT is a few words, if it needs no more. Its user may go on holding the object. */
  retire(c: Connection): void {
    const { slot } = c;
    if (!needsLittle(c) || this.#awake[slot] !== c || c.lifeAtUs === NEVER) return;
    const atUs = c.lifeAtUs;
    this.#rows[slot] = this.#state.saveWait(c);
    this.#lie(c, WAITS);
    this.#deadline(atUs, slot);
    c.lifeAtUs = NEVER;
    c.rearm();
    // What came last may have been read since.
    c.rcv.release();
  }

  /** @returns the connection in a slot, as an object. @throws Error when there is none. */
  wake(slot: number): Connection {
    const awake = this.#awake[slot];
    if (awake !== undefined) return awake;
    if (!this.#demux.isUsed(slot)) throw new Error(`no connection in slot ${slot}`);
    const c = this.#make(slot);
    if (this.#kinds[slot] === WAITS) {
      this.#state.waits.free(this.#rows[slot]!);
    } else {
      this.#state.idle.free(this.#rows[slot]!);
      this.#rare.delete(slot);
      const user = this.#users[slot];
      this.#users[slot] = undefined;
      c.user = user;
      user?.onWake?.(c);
    }
    this.#configs[slot] = undefined;
    this.#paths[slot] = undefined;
    this.#rise(c);
    this.#armDeadlines();
    c.rearm();
    return c;
  }

  /** Every connection. Those that slept are awake then; of those in TIME-WAIT it shows copies. */
  *[Symbol.iterator](): Generator<Connection> {
    for (let slot = 0; slot < this.#demux.end; slot++) {
      if (!this.#demux.isUsed(slot)) continue;
      yield this.#awake[slot] ?? (this.#kinds[slot] === WAITS ? this.#make(slot) : this.wake(slot));
    }
  }

  /** @returns the connection in a slot as it is: one that sleeps, or waits in TIME-WAIT, goes on, and this is a copy. */
  snapshot(slot: number): Connection {
    const awake = this.#awake[slot];
    if (awake !== undefined) return awake;
    if (!this.#demux.isUsed(slot)) throw new Error(`no connection in slot ${slot}`);
    return this.#make(slot);
  }

  /** Every connection, to be looked at and left alone: those that are no objects are copies, and sleep on. */
  *snapshots(): Generator<Connection> {
    for (let slot = 0; slot < this.#demux.end; slot++) if (this.#demux.isUsed(slot)) yield this.snapshot(slot);
  }

  /** Those that are objects now. */
  *objects(): Generator<Connection> {
    for (let slot = 0; slot < this.#demux.end; slot++) {
      const c = this.#awake[slot];
      if (c !== undefined) yield c;
    }
  }

  /** Those to one host, but not those in TIME-WAIT. */
  *to(remote: number): Generator<Connection> {
    const demux = this.#demux;
    for (let slot = 0; slot < demux.end; slot++) {
      if (!demux.isUsed(slot) || demux.remoteAddress(slot) !== remote) continue;
      if (this.#awake[slot] !== undefined || this.#kinds[slot] === ASLEEP) yield this.wake(slot);
    }
  }

  /** Asks for a look for silent connections, if there are many. */
  considerSleep(nowUs: number): void {
    if (this.#awakeCount > this.#mostAwake && !this.#sleepTimer.armed) {
      this.#tcp.timers.arm(this.#sleepTimer, nowUs + this.#sleepAfterUs);
    }
  }

  close(): void {
    this.#tcp.timers.cancel(this.#deadlineTimer);
    this.#tcp.timers.cancel(this.#sleepTimer);
  }

  #holds(c: Connection): boolean {
    return this.#demux.isUsed(c.slot) && this.#generations[c.slot] === c.generation;
  }

  /** A connection as its row tells. */
  #make(slot: number): Connection {
    const demux = this.#demux;
    const c = new Connection(
      this.#tcp,
      this.#configs[slot]!,
      this.#paths[slot]!,
      demux.localAddress(slot),
      demux.localPort(slot),
      demux.remoteAddress(slot),
      demux.remotePort(slot),
    );
    c.slot = slot;
    c.generation = this.#generations[slot]!;
    const row = this.#rows[slot]!;
    if (this.#kinds[slot] === WAITS) this.#state.restoreWait(c, row);
    else this.#state.restoreIdle(c, row, this.#rare.get(slot));
    return c;
  }

  /** A connection is an object from now on. */
  #rise(c: Connection): void {
    this.#awake[c.slot] = c;
    this.#kinds[c.slot] = AWAKE;
    this.#serials[c.slot] = (this.#serials[c.slot]! + 1) | 0;
    this.#awakeCount++;
  }

  /** It is a row from now on, which is written already. */
  #lie(c: Connection, kind: number): void {
    const { slot } = c;
    this.#awake[slot] = undefined;
    this.#kinds[slot] = kind;
    this.#configs[slot] = c.config;
    this.#paths[slot] = c.path;
    this.#awakeCount--;
  }

  #endWait(slot: number): void {
    this.#state.waits.free(this.#rows[slot]!);
    this.#configs[slot] = undefined;
    this.#paths[slot] = undefined;
    this.#serials[slot] = (this.#serials[slot]! + 1) | 0;
    this.#demux.remove(slot);
    this.#armDeadlines();
  }

  #deadline(atUs: number, slot: number): void {
    this.#deadlines.push(atUs, slot, this.#serials[slot]!);
    this.#armDeadlines();
  }

  /** Drops what does not count any more, and sets the timer to what comes first. */
  #armDeadlines(): void {
    const deadlines = this.#deadlines;
    while (deadlines.size > 0 && this.#serials[deadlines.slot] !== deadlines.serial) deadlines.shift();
    const { nextUs } = deadlines;
    if (this.#deadlineTimer.deadlineUs !== nextUs) this.#tcp.timers.arm(this.#deadlineTimer, nextUs);
  }

  /** TIME-WAITs end; sleepers with a deadline (keepalive) wake. */
  #deadlinesCome(nowUs: number): void {
    const deadlines = this.#deadlines;
    for (let i = 0; i < DEADLINES_PER_TURN && deadlines.nextUs <= nowUs; i++) {
      const { slot, serial } = deadlines;
      deadlines.shift();
      if (this.#serials[slot] !== serial) continue;
      if (this.#kinds[slot] === WAITS) this.#endWait(slot);
      else this.wake(slot);
    }
    this.#armDeadlines();
  }

  /** Looks at some slots; puts those to sleep that have been silent. */
  #putToSleep(nowUs: number): void {
    const { end } = this.#demux;
    if (this.#left === 0) {
      this.#left = end;
      this.#laterSleepers = false;
    }
    let looks = LOOKS_PER_TURN;
    let sleeps = SLEEPS_PER_TURN;
    while (this.#left > 0 && looks-- > 0 && sleeps > 0 && this.#awakeCount > this.#mostAwake) {
      this.#left--;
      if (this.#hand >= end) this.#hand = 0;
      const c = this.#awake[this.#hand++];
      if (c?.user?.onSleep === undefined) continue;
      if (Math.max(c.lastSentUs, c.lastReceivedUs) + this.#sleepAfterUs > nowUs) this.#laterSleepers = true;
      else if (isQuiet(c) && this.#sleep(c)) sleeps--;
    }
    if (this.#awakeCount <= this.#mostAwake) {
      this.#left = 0;
      return;
    }
    if (this.#left > 0) this.#tcp.timers.arm(this.#sleepTimer, nowUs + TURN_US);
    // A round in which none was met that will sleep: the next batch asks again.
    else if (this.#laterSleepers) this.#tcp.timers.arm(this.#sleepTimer, nowUs + this.#sleepAfterUs);
  }

  #sleep(c: Connection): boolean {
    const { slot, user } = c;
    // Nothing is in flight: its arrays go back.
    c.rtx.clear();
    const rare = this.#state.rarities(c, () => this.#freshLike(c));
    if (rare === false) return false;
    if (rare !== undefined) this.#rare.set(slot, rare);
    this.#rows[slot] = this.#state.saveIdle(c);
    this.#lie(c, ASLEEP);
    this.#users[slot] = user;
    if (c.keepAliveAtUs !== NEVER) this.#deadline(c.keepAliveAtUs, slot);
    this.#tcp.timers.cancel(c.timer);
    c.snd.release();
    c.rcv.release();
    c.user = undefined;
    user!.onSleep!(slot);
    return true;
  }

  #freshLike(c: Connection): Connection {
    return new Connection(c.tcp, c.config, c.path, 0, 0, 0, 0);
  }

  #grow(): void {
    const { capacity } = this.#demux;
    const kinds = new Uint8Array(capacity);
    kinds.set(this.#kinds);
    this.#kinds = kinds;
    while (this.#rows.length < capacity) {
      this.#rows = grown(this.#rows);
      this.#generations = grown(this.#generations);
      this.#serials = grown(this.#serials);
    }
  }
}

/** In TIME-WAIT, with nothing left to be told, read, sent or watched. */
function needsLittle(c: Connection): boolean {
  const told = c.events === 0 && !c.ackNow && !c.touched;
  return (
    told &&
    !c.txBlocked &&
    !c.awaitsAnswers &&
    c.observer === undefined &&
    c.accurateEcn === undefined &&
    c.rcv.readable === 0
  );
}
