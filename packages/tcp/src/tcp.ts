import { type Memory, PACKET_DATA_VALIDATED, type Packet, type PageAllocator } from '@qanat/bytes';
import { type Clock, type Random, Timer, type TimerQueue } from '@qanat/clock';
import { finish } from './close.ts';
import type { TcpConfig } from './config.ts';
import { Connection } from './connection.ts';
import { ConnectionTable } from './connection-table.ts';
import { sendSyn } from './control-output.ts';
import { DestinationCache } from './destination-metrics.ts';
import { DeviceWaits } from './device-waits.ts';
import { prepareFastOpen } from './fast-open.ts';
import type { FastOpenKey } from './fast-open-server.ts';
import { isPredicted, storesWell, takePredicted } from './header-prediction.ts';
import { adviceArrives } from './icmp-advice.ts';
import { ANSWER_RST, OPEN_AGAIN, segmentArrives } from './input.ts';
import { IsnGenerator } from './isn.ts';
import type { TcpLayerOptions } from './layer-options.ts';
import type { Listener, OnConnection } from './listener.ts';
import type { TcpNetwork, TcpPath } from './network.ts';
import { observeConnect } from './observe.ts';
import { noSynOptions } from './options.ts';
import { output } from './output.ts';
import { packetSum } from './packet-sum.ts';
import { type PassiveContext, PassiveOpen } from './passive-open.ts';
import { mtuReduced } from './path-mtu.ts';
import { PortSpace } from './port-space.ts';
import { Segment } from './segment.ts';
import { seqLeq } from './seq.ts';
import { StampClock } from './stamp-clock.ts';
import { CLOSED, SYN_SENT, type TcpErrorCode, TIME_WAIT } from './state.ts';
import { TcpStats } from './stats.ts';
import { tell } from './tell.ts';
import { runTimers } from './timers.ts';
import { headerFits } from './wire.ts';

/** Turns given at the end of one batch before the loop gets its say again. */
const TURNS_PER_BATCH = 100_000;

/**
 * The TCP of one host: all its connections and listeners. Segments and time come in, segments and events go out; it
 * never waits. Work is done in batches: `input` for each segment, then `endBatch` once.
 */
export class Tcp implements PassiveContext {
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly timers: TimerQueue;
  readonly stats = new TcpStats();
  readonly synOptions = noSynOptions();
  readonly destinations = new DestinationCache();
  nowUs = 0;
  nowMs = 0;
  readonly clockResolutionUs: number;
  readonly #network: TcpNetwork;
  readonly #clock: Clock;
  readonly #isn: IsnGenerator;
  readonly #connections: ConnectionTable;
  readonly #passive: PassiveOpen;
  readonly #segment = new Segment();
  /** Times of what observers are told. Who records several sources of rows as one may put the stamps of another one here. */
  stampClock: StampClock;
  /** Called with every connection that is made, before its first segment: to set an observer. */
  onOpen: ((c: Connection) => void) | undefined;
  /** Connections with something to do at the end of the batch: a queue in an array that keeps its room. */
  readonly #touched: (Connection | undefined)[] = [];
  #touchedHead = 0;
  #touchedTail = 0;
  readonly #device = new DeviceWaits();
  #inBatch = false;
  /** The connection in TIME-WAIT over which a SYN opens a new one, while it does. */
  #reopened: Connection | undefined;
  /** Connections whose users are to be told what they caused themselves, once their call has returned. */
  #untold: Connection[] = [];
  readonly #tellTimer = new Timer(() => this.#tellUntold());
  readonly #ports: PortSpace;

  constructor(options: TcpLayerOptions) {
    this.memory = options.network.memory;
    this.pages = options.pages;
    this.timers = options.timers;
    this.#network = options.network;
    this.#clock = options.clock;
    this.clockResolutionUs = options.clock.resolutionUs;
    this.stampClock = new StampClock(options.clock);
    this.#isn = new IsnGenerator(options.random.u32(), options.random.u32());
    this.#passive = new PassiveOpen(
      this,
      options.network,
      new IsnGenerator(options.random.u32(), options.random.u32()),
      () => options.fastOpenKey ?? randomKey(options.random),
    );
    this.#connections = new ConnectionTable(this, [this.#isn.hash(0, 0, 1), this.#isn.hash(0, 0, 2)], options.sleep);
    this.#ports = new PortSpace(options.random, this.#isn, this.#connections, this.#passive);
    this.#readTime();
  }

  readClock(): number {
    return this.#clock.now();
  }

  stamp(): number {
    return this.stampClock.stamp(this.nowUs);
  }

  stamps(count: number): number {
    return this.stampClock.stamps(this.nowUs, count);
  }

  stampMark(): number {
    return this.stampClock.mark(this.nowUs);
  }

  stampUser(): number {
    return this.#inBatch ? this.stampClock.mark(this.nowUs) : this.stampClock.now();
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

  /** @param mayTell whether users may be called back: not from within their own calls. */
  #work(mayTell: boolean): void {
    this.#inBatch = true;
    const touched = this.#touched;
    let turns = 0;
    let served = false;
    while (this.#touchedHead < this.#touchedTail && turns++ < TURNS_PER_BATCH) {
      const c = touched[this.#touchedHead]!;
      touched[this.#touchedHead++] = undefined;
      c.touched = false;
      if (c.events !== 0) {
        if (mayTell) tell(c);
        else this.#untold.push(c);
        // Its user did something with it: output has a turn of its own, after all that is to be told.
        if (c.touched) continue;
      }
      if (c.state !== CLOSED && c.state !== SYN_SENT && !c.txBlocked) {
        if (!served && this.#device.hasRefused) {
          served = true;
          this.#device.serve();
        }
        if (this.#device.mustWait(c)) c.rearm();
        else output(c);
      } else if (c.state !== CLOSED) c.rearm();
      if (c.state === TIME_WAIT) this.#connections.retire(c);
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
    if (!this.#device.waitedFor) return;
    this.beginBatch();
    this.#device.ready();
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
    const c = this.#connections.quoted(local, localPort, remote, remotePort, seq);
    if (c === undefined) return;
    const nested = this.#inBatch;
    if (!nested) this.beginBatch();
    adviceArrives(c, code, hard);
    if (!nested) this.endBatch();
  }

  /**
   * An ICMP "fragmentation needed" quotes a segment of ours.
   * @returns whether it is about something in flight (RFC 5927 section 7.2), so that the path's MTU may be changed;
   * `pathMtuChanged` follows.
   */
  believesTooBig(local: number, localPort: number, remote: number, remotePort: number, seq: number): boolean {
    return this.#connections.quoted(local, localPort, remote, remotePort, seq) !== undefined;
  }

  /** The MTU of the path to a host has become smaller: every connection to it adapts. */
  pathMtuChanged(remote: number): void {
    const nested = this.#inBatch;
    if (!nested) this.beginBatch();
    for (const c of this.#connections.to(remote)) mtuReduced(c);
    if (!nested) this.endBatch();
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
      localPort = this.#ports.ephemeral(local, remote, remotePort);
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
    if (c.observer !== undefined) observeConnect(c);
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
    return this.#ports.free();
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
    this.#device.clear();
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
    this.#device.block(c);
  }

  awaitAnswers(c: Connection): void {
    this.#device.awaitAnswers(c);
  }

  forget(c: Connection): void {
    this.#connections.remove(c);
    this.#device.forget(c);
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
}

function randomKey(random: Random): FastOpenKey {
  return [random.u32(), random.u32(), random.u32(), random.u32()];
}
