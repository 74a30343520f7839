import { addSum, type Memory, type Packet } from '@qanat/bytes';
import { flowHash, pseudoHeaderSum } from '@qanat/ipv4';
import { abort } from './close.ts';
import type { TcpConfig } from './config.ts';
import { Connection } from './connection.ts';
import type { TcpContext } from './context.ts';
import { announcedMssFor, sendSyn } from './control-output.ts';
import { negotiateEcn } from './ecn.ts';
import { type FastOpenKey, FastOpenServer } from './fast-open-server.ts';
import { segmentArrives, takeEarlyData, takeSynOptions } from './input.ts';
import type { IsnGenerator } from './isn.ts';
import { Listener, type OnConnection } from './listener.ts';
import type { TcpNetwork, TcpPath } from './network.ts';
import { observeReceived } from './observe.ts';
import { synOptionsBytes, writeSynOptions } from './options.ts';
import type { Segment } from './segment.ts';
import { SYN_RECEIVED } from './state.ts';
import { cookieOptions, cookieTimestamp, SynCookies } from './syn-cookie.ts';
import { windowShiftFor } from './window.ts';
import { ACK, ECE, HEADERS_BYTES, RST, SYN, TCP_CHECKSUM, TCP_HEADER_BYTES } from './wire.ts';

const PROTOCOL_TCP = 6;

/** What the listening side needs of the layer. */
export interface PassiveContext extends TcpContext {
  /** Chooses ISN and timestamp offset, and enters the connection into the demultiplexer. */
  open(c: Connection): void;
  /** The random offset of a connection's timestamps. */
  timestampOffset(local: number, localPort: number, remote: number, remotePort: number): number;
}

/** Ports in LISTEN, and segments that belong to no connection (RFC 9293 sections 3.10.7.1 and 3.10.7.2). */
export class PassiveOpen {
  readonly #tcp: PassiveContext;
  readonly #network: TcpNetwork;
  readonly #memory: Memory;
  readonly #cookies: SynCookies;
  readonly fastOpen: FastOpenServer;
  readonly #listeners = new Map<number, Listener[]>();

  /** @param cookieHash with a secret of its own. @param fastOpenKey is asked for when it is needed. */
  constructor(tcp: PassiveContext, network: TcpNetwork, cookieHash: IsnGenerator, fastOpenKey: () => FastOpenKey) {
    this.#tcp = tcp;
    this.#network = network;
    this.#memory = network.memory;
    this.#cookies = new SynCookies(cookieHash);
    this.fastOpen = new FastOpenServer(fastOpenKey);
  }

  /** @returns undefined when the address and port are taken. */
  listen(
    address: number,
    port: number,
    backlog: number,
    config: TcpConfig,
    onConnection: OnConnection,
  ): Listener | undefined {
    const there = this.#listeners.get(port) ?? [];
    for (const other of there) {
      if (other.address === address || other.address === 0 || address === 0) return undefined;
    }
    const listener = new Listener(address, port, backlog, config, onConnection);
    this.#listeners.set(port, [...there, listener]);
    return listener;
  }

  /** Stops listening; what is half open is reset. */
  unlisten(listener: Listener): void {
    if (listener.closed) return;
    listener.closed = true;
    const rest = (this.#listeners.get(listener.port) ?? []).filter((other) => other !== listener);
    if (rest.length > 0) this.#listeners.set(listener.port, rest);
    else this.#listeners.delete(listener.port);
    for (const c of listener.takeHalfOpen()) {
      c.parent = undefined;
      // Those are the application's already.
      if (!c.fastOpen) abort(c, undefined, true);
    }
  }

  isListening(port: number): boolean {
    return this.#listeners.has(port);
  }

  close(): void {
    for (const list of this.#listeners.values()) {
      for (const listener of list) listener.closed = true;
    }
    this.#listeners.clear();
  }

  /** A segment for which there is no connection. */
  arrives(segment: Segment, packet: Packet): void {
    const { flags } = segment;
    if (flags & RST) return;
    const listener = this.#listenerFor(segment.dst, segment.dstPort);
    if (listener !== undefined) {
      if (flags & ACK) {
        if (!(flags & SYN) && this.#cookieArrives(listener, segment, packet)) return;
      } else {
        if (flags & SYN) this.#synArrives(listener, segment, packet);
        return;
      }
    }
    this.answerReset(segment);
  }

  /** <SEQ=SEG.ACK><CTL=RST>, or <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>. */
  answerReset(segment: Segment): void {
    const hasAck = (segment.flags & ACK) !== 0;
    const path = this.#network.path(segment.dst, segment.src);
    if (path === undefined) return;
    const addr = path.reserve(TCP_HEADER_BYTES, flowOf(segment));
    if (addr === 0) return;
    const seq = hasAck ? segment.ack : 0;
    const ack = hasAck ? 0 : (segment.seq + segment.len) | 0;
    this.#writeHeader(addr, segment, seq, ack, hasAck ? RST : RST | ACK, TCP_HEADER_BYTES, 0);
    this.#finish(path, addr, segment, TCP_HEADER_BYTES);
    this.#tcp.stats.OutRsts++;
  }

  #synArrives(listener: Listener, segment: Segment, packet: Packet): void {
    const { stats } = this.#tcp;
    if (listener.waiting > listener.backlog) {
      // Nobody accepts: silence, the peer tries again (Linux has tcp_abort_on_overflow off).
      stats.ListenOverflows++;
      stats.ListenDrops++;
      return;
    }
    const path = this.#network.path(segment.dst, segment.src);
    if (path === undefined) return;
    if (listener.full) {
      if (listener.config.synCookies) this.#answerWithCookie(listener, segment, path);
      else stats.ListenDrops++;
      return;
    }
    const c = this.#create(listener, segment, path);
    c.irs = segment.seq;
    c.rcvNxt = (segment.seq + 1) | 0;
    c.sndWnd = segment.window;
    c.maxSndWnd = Math.max(segment.window, 1);
    c.deferAccept = listener.config.deferAccept;
    takeSynOptions(c, segment);
    negotiateEcn(c, segment);
    this.#enter(c, segment);
    const early = this.fastOpen.admits(listener, c, segment);
    if (early) takeEarlyData(c, segment, packet);
    sendSyn(c, false);
    c.rtoAtUs = this.#tcp.nowUs + c.rtoUs;
    c.rearm();
    if (early) listener.handOver(c);
  }

  #create(listener: Listener, segment: Segment, path: TcpPath): Connection {
    const { dst, dstPort, src, srcPort } = segment;
    const c = new Connection(this.#tcp, listener.config, path, dst, dstPort, src, srcPort);
    c.passive = true;
    c.parent = listener;
    listener.add(c);
    this.#tcp.open(c);
    if (c.observer !== undefined) observeReceived(c, segment);
    this.#tcp.stats.PassiveOpens++;
    return c;
  }

  #enter(c: Connection, segment: Segment): void {
    c.state = SYN_RECEIVED;
    c.rcvAdv = c.rcvNxt;
    c.rcv.start(c.rcvNxt);
    c.sndWl1 = segment.seq;
  }

  #answerWithCookie(listener: Listener, segment: Segment, path: TcpPath): void {
    const { stats, nowUs, synOptions: options } = this.#tcp;
    const { config } = listener;
    const offered = segment.options;
    const timestamps = config.timestamps && offered.hasTimestamps;
    // Without timestamps there is no place to remember scaling and SACK.
    const shift = timestamps && config.windowScaling ? offered.windowShift : -1;
    const sack = timestamps && config.sack && offered.sackPermitted;
    const ecn = timestamps && config.ecn !== 'off' && (segment.flags & ECE) !== 0;
    const mss = Math.min(offered.mss === 0 ? 536 : offered.mss, path.deviceMtu - HEADERS_BYTES);
    const offset = this.#tcp.timestampOffset(segment.dst, segment.dstPort, segment.src, segment.srcPort);
    options.mss = announcedMssFor(config, path);
    options.windowShift = shift >= 0 ? windowShiftFor(config.rcvBuf) : -1;
    options.sackPermitted = sack;
    options.timestamps = timestamps;
    options.cookie = undefined;
    const tsNow = (Math.floor(nowUs / 1000) + offset) | 0;
    options.tsVal = cookieTimestamp(tsNow, { mss, windowShift: shift, sackPermitted: sack, ecn });
    options.tsEcr = offered.tsVal;
    const header = TCP_HEADER_BYTES + synOptionsBytes(options);
    const addr = path.reserve(header, flowOf(segment));
    if (addr === 0) return;
    const flags = SYN | ACK | (ecn ? ECE : 0);
    const window = Math.min(config.rcvBuf, 0xffff);
    this.#writeHeader(
      addr,
      segment,
      this.#cookies.make(segment, mss, nowUs),
      (segment.seq + 1) | 0,
      flags,
      header,
      window,
    );
    writeSynOptions(this.#memory, addr + TCP_HEADER_BYTES, options);
    this.#finish(path, addr, segment, header);
    stats.SyncookiesSent++;
  }

  /** An ACK to a listener: the last step of a handshake that only a cookie remembers? @returns whether it was taken. */
  #cookieArrives(listener: Listener, segment: Segment, packet: Packet): boolean {
    const { stats, nowUs } = this.#tcp;
    if (!listener.config.synCookies) return false;
    const mss = this.#cookies.check(segment, nowUs);
    if (mss === 0) {
      stats.SyncookiesFailed++;
      return false;
    }
    if (listener.waiting > listener.backlog) {
      stats.ListenOverflows++;
      return true;
    }
    const path = this.#network.path(segment.dst, segment.src);
    if (path === undefined) return true;
    stats.SyncookiesRecv++;
    const { config } = listener;
    const c = this.#create(listener, segment, path);
    const remembered = cookieOptions(mss, config.timestamps && segment.options.hasTimestamps, segment.options.tsEcr);
    const offered = segment.options;
    offered.mss = remembered.mss;
    offered.windowShift = remembered.windowShift;
    offered.sackPermitted = remembered.sackPermitted;
    c.irs = (segment.seq - 1) | 0;
    c.rcvNxt = segment.seq;
    c.iss = (segment.ack - 1) | 0;
    c.sndUna = c.iss;
    c.sndNxt = segment.ack;
    c.snd.start(c.sndNxt);
    takeSynOptions(c, segment);
    c.ecnOk = remembered.ecn;
    // No round trip was measured: the SYN-ACK left no trace.
    c.synRetries = 0;
    c.synSentUs = 0;
    this.#enter(c, segment);
    c.rcvAdv = (c.rcvNxt + Math.min(c.rcv.limit, 0xffff)) | 0;
    c.lastAckSent = c.rcvNxt;
    segmentArrives(c, segment, packet);
    return true;
  }

  #listenerFor(address: number, port: number): Listener | undefined {
    const list = this.#listeners.get(port);
    if (list === undefined) return undefined;
    for (const listener of list) {
      if (listener.address === address || listener.address === 0) return listener;
    }
    return undefined;
  }

  #writeHeader(
    addr: number,
    segment: Segment,
    seq: number,
    ack: number,
    flags: number,
    header: number,
    window: number,
  ): void {
    const { view } = this.#memory;
    view.setInt32(addr, (segment.dstPort << 16) | segment.srcPort);
    view.setInt32(addr + 4, seq);
    view.setInt32(addr + 8, ack);
    view.setInt32(addr + 12, (((header << 10) | flags) << 16) | window);
    view.setInt32(addr + 16, 0);
  }

  #finish(path: TcpPath, addr: number, segment: Segment, header: number): void {
    const { view, kernel } = this.#memory;
    const pseudo = pseudoHeaderSum(segment.dst, segment.src, PROTOCOL_TCP, header);
    const sum = addSum(pseudo, kernel.sum(addr, header));
    view.setUint16(addr + TCP_CHECKSUM, path.checksumOffload ? pseudo : ~sum & 0xffff);
    path.send(header, 0, 0);
    this.#tcp.stats.OutSegs++;
  }
}

function flowOf({ src, srcPort, dst, dstPort }: Segment): number {
  return flowHash(dst, dstPort, src, srcPort);
}
