import { addSum, type Memory, PACKET_DATA_VALIDATED, type Packet, type PageAllocator, swapSum } from '@qanat/bytes';
import { type Clock, type Random, Timer, type TimerQueue } from '@qanat/clock';
import { pseudoHeaderSum } from '@qanat/ipv4';
import { answersCame } from './answers.ts';
import { abort, finish } from './close.ts';
import type { TcpConfig } from './config.ts';
import {
  Connection,
  EVENT_CLOSE,
  EVENT_CONNECT,
  EVENT_END,
  EVENT_READABLE,
  EVENT_RETURNED,
  EVENT_TROUBLE,
  EVENT_URGENT,
  EVENT_WRITABLE,
} from './connection.ts';
import { ConnectionTable, type SleepOptions } from './connection-table.ts';
import { sendSyn } from './control-output.ts';
import { DestinationCache } from './destination-metrics.ts';
import { prepareFastOpen } from './fast-open.ts';
import type { FastOpenKey } from './fast-open-server.ts';
import { reportTrouble } from './give-up.ts';
import { isPredicted, storesWell, takePredicted } from './header-prediction.ts';
import { ANSWER_RST, OPEN_AGAIN, segmentArrives } from './input.ts';
import { IsnGenerator } from './isn.ts';
import type { Listener, OnConnection } from './listener.ts';
import type { TcpNetwork, TcpPath } from './network.ts';
import { observeWake } from './observe.ts';
import { WAITS_CLOSE, WAITS_CONNECT, WAITS_READABLE, WAITS_WRITABLE } from './observer.ts';
import type { SynOptions } from './options.ts';
import { output } from './output.ts';
import { type PassiveContext, PassiveOpen } from './passive-open.ts';
import { mtuReduced } from './path-mtu.ts';
import { Segment } from './segment.ts';
import { seqGeq, seqLeq, seqLt } from './seq.ts';
import { StampClock } from './stamp-clock.ts';
import { CLOSED, SYN_RECEIVED, SYN_SENT, type TcpErrorCode, TIME_WAIT } from './state.ts';
import { TcpStats } from './stats.ts';
import { runTimers } from './timers.ts';
import { headerFits, PROTOCOL_TCP } from './wire.ts';

/** RFC 6335: ephemeral ports, Linux's part of the range. */
const EPHEMERAL_FIRST = 32768;
const EPHEMERAL_LAST = 60999;

/** Turns given at the end of one batch before the loop gets its say again. */
const TURNS_PER_BATCH = 100_000;

export interface TcpLayerOptions {
  readonly network: TcpNetwork;
  readonly pages: PageAllocator;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly random: Random;
  /** Key of Fast Open cookies that we give out; hosts that serve one address share it. Default: random. */
  readonly fastOpenKey?: FastOpenKey;
  /** When idle connections are stored away. */
  readonly sleep?: SleepOptions;
}

/**
 * The TCP of one host: all its connections and listeners. Segments and time come in, segments and events go out; it
 * never waits. Work is done in batches: `input` for each segment, then `endBatch` once.
 */
export class Tcp implements PassiveContext {
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly timers: TimerQueue;
  readonly stats = new TcpStats();
  readonly synOptions: SynOptions = {
    mss: 0,
    windowShift: -1,
    sackPermitted: false,
    timestamps: false,
    tsVal: 0,
    tsEcr: 0,
    cookie: undefined,
    cookieExperimental: false,
  };
  readonly destinations = new DestinationCache();
  nowUs = 0;
  nowMs = 0;
  readonly clockResolutionUs: number;
  readonly #network: TcpNetwork;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #isn: IsnGenerator;
  readonly #connections: ConnectionTable;
  readonly #passive: PassiveOpen;
  readonly #segment = new Segment();
  readonly #stamps: StampClock;
  /** Called with every connection that is made, before its first segment: to set an observer. */
  onOpen: ((c: Connection) => void) | undefined;
  /** Connections with something to do at the end of the batch: a queue in an array that keeps its room. */
  readonly #touched: (Connection | undefined)[] = [];
  #touchedHead = 0;
  #touchedTail = 0;
  /** Connections that wait for room in a device, in the order in which they were refused. */
  #blocked: Connection[] = [];
  /** Connections whose memory packets under way refer to, though it is not needed any more. */
  #awaiting: Connection[] = [];
  #inBatch = false;
  /** The connection in TIME-WAIT over which a SYN opens a new one, while it does. */
  #reopened: Connection | undefined;
  /** Connections whose users are to be told what they caused themselves, once their call has returned. */
  #untold: Connection[] = [];
  readonly #tellTimer = new Timer(() => this.#tellUntold());
  #portOffset: number;

  constructor(options: TcpLayerOptions) {
    this.memory = options.network.memory;
    this.pages = options.pages;
    this.timers = options.timers;
    this.#network = options.network;
    this.#clock = options.clock;
    this.clockResolutionUs = options.clock.resolutionUs;
    this.#stamps = new StampClock(options.clock);
    this.#random = options.random;
    this.#isn = new IsnGenerator(options.random.u32(), options.random.u32());
    this.#passive = new PassiveOpen(
      this,
      options.network,
      new IsnGenerator(options.random.u32(), options.random.u32()),
      () => options.fastOpenKey ?? randomKey(options.random),
    );
    this.#connections = new ConnectionTable(this, demuxKey(this.#isn), options.sleep);
    this.#portOffset = options.random.u32() & 0xffff;
    this.#readTime();
  }

  readClock(): number {
    return this.#clock.now();
  }

  stamp(): number {
    return this.#stamps.stamp(this.nowUs);
  }

  stampMark(): number {
    return this.#stamps.mark(this.nowUs);
  }

  stampUser(): number {
    return this.#inBatch ? this.#stamps.mark(this.nowUs) : this.#stamps.now();
  }

  #readTime(): void {
    const nowUs = this.#clock.now();
    this.nowUs = nowUs;
    this.nowMs = Math.floor(nowUs / 1000) | 0;
  }

  /** Every connection, to be acted on. Those that are stored away wake up; of those in TIME-WAIT it shows copies. */
  get connections(): Iterable<Connection> {
    return this.#connections;
  }

  /** Those that are objects now: idle ones and those in TIME-WAIT may be stored away. */
  get awakeConnections(): Iterable<Connection> {
    return this.#connections.objects();
  }

  /** Every connection, to be looked at only: of those that are stored away it shows copies. */
  get snapshots(): Iterable<Connection> {
    return this.#connections.snapshots();
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get awakeCount(): number {
    return this.#connections.awake;
  }

  /** @returns the connection that sleeps in a slot (`ConnectionUser.onSleep`), awake. */
  wake(slot: number): Connection {
    return this.#connections.wake(slot);
  }

  /** @returns the connection that sleeps in a slot, as a copy to be looked at only: it sleeps on. */
  snapshot(slot: number): Connection {
    return this.#connections.snapshot(slot);
  }

  // --- From below ----------------------------------------------------------------------------------------------

  /** A batch of segments begins: time is read once. */
  beginBatch(): void {
    this.#inBatch = true;
    this.#readTime();
  }

  /**
   * A segment has come; `packet` stands at its TCP header, and IP has checked the addresses (unicast both, ours here).
   * Call within beginBatch/endBatch. @param tos of the IP header, ECN bits included.
   */
  input(packet: Packet, src: number, dst: number, tos = 0): void {
    const { memory, stats } = this;
    const segment = this.#segment;
    stats.InSegs++;
    if (!headerFits(memory, packet.addr, packet.headLen)) {
      stats.InErrs++;
      return;
    }
    segment.parse(memory, packet.addr, packet.len, src, dst, tos, packet.arrivedUs);
    const c = this.#connections.find(dst, segment.dstPort, src, segment.srcPort);
    const predicted = c !== undefined && isPredicted(c, segment);
    let stored = false;
    if (!(packet.flags & PACKET_DATA_VALIDATED)) {
      stored = predicted && packet.fragCount === 0;
      const right = stored ? storesWell(c!, segment, packet) : packetSum(memory, packet, src, dst) === 0xffff;
      if (!right) {
        stats.InCsumErrors++;
        stats.InErrs++;
        return;
      }
    }
    if (c === undefined) {
      this.#passive.arrives(segment, packet);
      return;
    }
    if (predicted) {
      takePredicted(c, segment, packet, stored);
      return;
    }
    const answer = segmentArrives(c, segment, packet);
    if (answer === ANSWER_RST) {
      this.#passive.answerReset(segment);
    } else if (answer === OPEN_AGAIN) {
      finish(c, undefined);
      this.#reopened = c;
      this.#passive.arrives(segment, packet);
      this.#reopened = undefined;
    }
  }

  /** The batch is over: events are told, then everything that may be sent goes out, then devices publish it. */
  endBatch(): void {
    this.#work(true);
  }

  /** @param tell whether users may be called back: not from within their own calls. */
  #work(tell: boolean): void {
    this.#inBatch = true;
    const touched = this.#touched;
    let turns = 0;
    while (this.#touchedHead < this.#touchedTail && turns++ < TURNS_PER_BATCH) {
      const c = touched[this.#touchedHead]!;
      touched[this.#touchedHead++] = undefined;
      c.touched = false;
      if (c.events !== 0) {
        if (tell) this.#tell(c);
        else this.#untold.push(c);
        // Its user did something with it: output has a turn of its own, after all that is to be told.
        if (c.touched) continue;
      }
      if (c.state !== CLOSED && c.state !== SYN_SENT && !c.txBlocked) output(c);
      else if (c.state !== CLOSED) c.rearm();
      if (c.state === TIME_WAIT && needsLittle(c)) this.#connections.retire(c);
    }
    if (this.#touchedHead === this.#touchedTail) {
      this.#touchedHead = 0;
      this.#touchedTail = 0;
    }
    this.#connections.considerSleep(this.nowUs);
    if (this.#untold.length > 0 && !this.#tellTimer.armed) this.timers.arm(this.#tellTimer, this.nowUs);
    this.#inBatch = false;
    this.#network.flush();
  }

  /** A device that had no room has some again. */
  transmitReady(): void {
    const blocked = this.#blocked;
    const awaiting = this.#awaiting;
    if (blocked.length === 0 && awaiting.length === 0) return;
    this.beginBatch();
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
      else this.touch(c);
    }
    this.endBatch();
  }

  /**
   * An ICMP error quotes a segment of ours. It counts only if its sequence number is in flight (RFC 5927 section 4).
   * @param hard whether it says that the connection cannot be (codes protocol, port unreachable).
   */
  icmpError(
    local: number,
    localPort: number,
    remote: number,
    remotePort: number,
    seq: number,
    code: TcpErrorCode,
    hard: boolean,
  ): void {
    const c = this.#quoted(local, localPort, remote, remotePort, seq);
    if (c === undefined) return;
    const nested = this.#inBatch;
    if (!nested) this.beginBatch();
    c.softError = code;
    // A connection that is being opened fails at once, as Linux does; an established one survives soft errors (MUST-56),
    // and hard ones too (RFC 5927 section 5: ICMP is not authenticated).
    // Half-open connections of a listener go by net and host unreachable too, as there: the peer asks again.
    const unreachable = code === 'EHOSTUNREACH' || code === 'ENETUNREACH';
    const halfOpen = c.state === SYN_RECEIVED && !c.fastOpen && (hard || (c.parent !== undefined && unreachable));
    if (c.state === SYN_SENT || halfOpen) abort(c, code, false);
    else reportTrouble(c, code);
    if (!nested) this.endBatch();
  }

  /**
   * An ICMP "fragmentation needed" quotes a segment of ours.
   * @returns whether it is about something in flight (RFC 5927 section 7.2), so that the path's MTU may be changed;
   * `pathMtuChanged` follows.
   */
  believesTooBig(local: number, localPort: number, remote: number, remotePort: number, seq: number): boolean {
    return this.#quoted(local, localPort, remote, remotePort, seq) !== undefined;
  }

  /** The MTU of the path to a host has become smaller: every connection to it adapts. */
  pathMtuChanged(remote: number): void {
    const nested = this.#inBatch;
    if (!nested) this.beginBatch();
    for (const c of this.#connections.to(remote)) mtuReduced(c);
    if (!nested) this.endBatch();
  }

  /** The connection that an ICMP error quotes, if the sequence number is in flight (RFC 5927 section 4.1). */
  #quoted(local: number, localPort: number, remote: number, remotePort: number, seq: number): Connection | undefined {
    const c = this.#connections.findAwake(local, localPort, remote, remotePort);
    if (c === undefined) return undefined;
    const from = c.state === SYN_RECEIVED ? c.iss : c.sndUna;
    return seqGeq(seq, from) && seqLt(seq, c.sndNxt) ? c : undefined;
  }

  // --- From the user -------------------------------------------------------------------------------------------

  /**
   * OPEN, active.
   * @param early data to be sent first: with the SYN, if the configuration and a cookie allow (RFC 7413).
   * @returns the connection in SYN-SENT, whose `user` is to be set at once, or the reason why there can be none.
   */
  connect(
    path: TcpPath,
    localPort: number,
    remotePort: number,
    config: TcpConfig,
    early?: Uint8Array,
  ): Connection | 'EADDRINUSE' | 'EADDRNOTAVAIL' | 'EMSGSIZE' | 'ENOBUFS' {
    const { localAddress: local, remoteAddress: remote } = path;
    if (!this.#inBatch) this.#readTime();
    if (localPort === 0) {
      localPort = this.#ephemeralPort(local, remote, remotePort);
      if (localPort === 0) return 'EADDRNOTAVAIL';
    } else {
      if (this.#connections.has(local, localPort, remote, remotePort)) return 'EADDRINUSE';
    }
    if (early !== undefined && early.length > config.sndBuf) return 'EMSGSIZE';
    const c = new Connection(this, config, path, local, localPort, remote, remotePort);
    this.open(c);
    if (early !== undefined && c.snd.write(early) < early.length) {
      c.snd.release();
      this.forget(c);
      return 'ENOBUFS';
    }
    c.state = SYN_SENT;
    this.stats.ActiveOpens++;
    if (early !== undefined && config.fastOpenClient) prepareFastOpen(c, this.destinations.get(local, remote));
    sendSyn(c, false);
    c.rtoAtUs = this.nowUs + c.rtoUs;
    c.rearm();
    this.userDone();
    return c;
  }

  /** OPEN, passive. @returns undefined when the address and port are taken. */
  listen(
    address: number,
    port: number,
    backlog: number,
    config: TcpConfig,
    onConnection: OnConnection,
  ): Listener | undefined {
    return this.#passive.listen(address, port, backlog, config, onConnection);
  }

  /** Stops listening; what is half open is reset. */
  unlisten(listener: Listener): void {
    this.userBegins();
    this.#passive.unlisten(listener);
    this.userDone();
  }

  /** A free port for `listen` on port 0. @returns 0 when all are taken. */
  freeListenPort(): number {
    const count = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
    const start = this.#random.u32() % count;
    for (let i = 0; i < count; i++) {
      const port = EPHEMERAL_FIRST + ((start + i) % count);
      if (!this.#passive.isListening(port)) return port;
    }
    return 0;
  }

  userBegins(): void {
    if (!this.#inBatch) this.#readTime();
  }

  /** To be called after user calls: outside of a batch, what they caused goes out at once. */
  userDone(): void {
    if (this.#inBatch) return;
    this.#readTime();
    this.#work(false);
  }

  /** Ends everything at once, without a word to anybody. */
  close(): void {
    this.#passive.close();
    for (const c of this.#connections) {
      c.parent = undefined;
      c.user = undefined;
      c.orphaned = true;
      finish(c, 'ECONNABORTED');
    }
    this.#connections.close();
    this.#blocked = [];
    this.#awaiting = [];
    this.#untold = [];
    this.timers.cancel(this.#tellTimer);
  }

  // --- TcpContext ----------------------------------------------------------------------------------------------

  touch(c: Connection): void {
    if (c.touched) return;
    c.touched = true;
    this.#touched[this.#touchedTail++] = c;
  }

  blockOnDevice(c: Connection): void {
    if (c.txBlocked) return;
    c.txBlocked = true;
    this.stats.TxRingFull++;
    this.#blocked.push(c);
  }

  awaitAnswers(c: Connection): void {
    if (!c.awaitsAnswers) {
      c.awaitsAnswers = true;
      this.#awaiting.push(c);
    }
    c.snd.watch();
  }

  forget(c: Connection): void {
    this.#connections.remove(c);
    this.timers.cancel(c.timer);
  }

  stillWaits(c: Connection): boolean {
    return this.#connections.stillWaits(c);
  }

  connectionTimer(c: Connection): void {
    this.beginBatch();
    runTimers(c);
    this.endBatch();
  }

  // --- PassiveContext ------------------------------------------------------------------------------------------

  open(c: Connection): void {
    const { localAddress: local, remoteAddress: remote, localPort, remotePort } = c;
    c.iss = this.#isn.isn(local, localPort, remote, remotePort, this.nowUs);
    const old = this.#reopened;
    // More than the clock's 250 kB a second were sent (RFC 9293 section 3.10.7.4, MAY-2; the distance is Linux's).
    if (old !== undefined && seqLeq(c.iss, old.sndNxt)) c.iss = (old.sndNxt + 65_537) | 0;
    c.tsOffset = this.timestampOffset(local, localPort, remote, remotePort);
    c.sndUna = c.iss;
    c.sndNxt = (c.iss + 1) | 0;
    c.snd.start(c.sndNxt);
    c.smallEnd = c.sndNxt;
    c.cwndUsageSeq = c.sndNxt;
    c.lastReceivedUs = this.nowUs;
    c.updateMss();
    this.#connections.add(c);
    this.onOpen?.(c);
  }

  /** Changes the key of Fast Open cookies; those made with the one before are good until the next change. */
  setFastOpenKey(key: FastOpenKey): void {
    this.#passive.fastOpen.setKey(key);
  }

  timestampOffset(local: number, localPort: number, remote: number, remotePort: number): number {
    return this.#isn.hash(remote, local, ((remotePort << 16) | localPort) ^ 0x7453_7453);
  }

  #tellUntold(): void {
    this.beginBatch();
    const untold = this.#untold;
    this.#untold = [];
    for (const c of untold) this.touch(c);
    this.endBatch();
  }

  #tell(c: Connection): void {
    const events = c.events;
    c.events = 0;
    const user = c.user;
    if (user === undefined) return;
    if (c.observer !== undefined) observeTold(c, events);
    if (events & EVENT_CONNECT) user.onConnect();
    if (events & EVENT_URGENT) user.onUrgent();
    if (events & EVENT_TROUBLE && c.state !== CLOSED) user.onTrouble?.(c.trouble);
    if (events & EVENT_READABLE && c.rcv.readable > 0) user.onReadable();
    if (events & EVENT_END) user.onEnd();
    if (events & EVENT_RETURNED) user.onReturned?.();
    if (events & EVENT_WRITABLE && c.state !== CLOSED) user.onWritable();
    if (events & EVENT_CLOSE) user.onClose(c.error);
  }

  /** RFC 6056 algorithm 3: a keyed offset for each remote end, then counting. */
  #ephemeralPort(local: number, remote: number, remotePort: number): number {
    const count = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
    const offset = (this.#isn.hash(local, remote, remotePort) >>> 0) % count;
    for (let i = 0; i < count; i++) {
      const port = EPHEMERAL_FIRST + ((offset + this.#portOffset++) % count);
      if (!this.#connections.has(local, port, remote, remotePort) && !this.#passive.isListening(port)) return port;
    }
    return 0;
  }
}

/** Which of the events that a user is told of end a wait. */
function observeTold(c: Connection, events: number): void {
  if (events & EVENT_CONNECT) observeWake(c, WAITS_CONNECT);
  if (events & EVENT_READABLE && c.rcv.readable > 0) observeWake(c, WAITS_READABLE);
  if (events & EVENT_WRITABLE && c.state !== CLOSED) observeWake(c, WAITS_WRITABLE);
  if (events & EVENT_CLOSE) observeWake(c, WAITS_CLOSE);
}

/** In TIME-WAIT, with nothing left to be told, read, sent or watched. */
function needsLittle(c: Connection): boolean {
  const told = c.events === 0 && !c.ackNow && !c.touched;
  return told && !c.awaitsAnswers && c.observer === undefined && c.accurateEcn === undefined && c.rcv.readable === 0;
}

/** Words of the stack's secret, like its initial sequence numbers. */
function demuxKey(isn: IsnGenerator): [number, number] {
  return [isn.hash(0, 0, 1), isn.hash(0, 0, 2)];
}

function randomKey(random: Random): FastOpenKey {
  return [random.u32(), random.u32(), random.u32(), random.u32()];
}

/** The sum over pseudo-header and segment: 0xffff when the checksum holds. Fragments may begin at odd offsets. */
function packetSum(memory: Memory, packet: Packet, src: number, dst: number): number {
  const { kernel } = memory;
  let sum = addSum(pseudoHeaderSum(src, dst, PROTOCOL_TCP, packet.len), kernel.sum(packet.addr, packet.headLen));
  let odd = packet.headLen & 1;
  for (let i = 0; i < packet.fragCount; i++) {
    const bytes = packet.fragLen[i]!;
    const part = kernel.sum(packet.fragAddr[i]!, bytes);
    sum = addSum(sum, odd ? swapSum(part) : part);
    odd ^= bytes & 1;
  }
  return sum;
}
