import { Memory, Packet, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { expect } from 'vitest';
import {
  auditConnection,
  type Connection,
  type ConnectionUser,
  type Listener,
  Tcp,
  type TcpConfig,
  type TcpInfo,
  type TcpNetwork,
  type TcpPath,
  tcpConfig,
  tcpInfo,
  user,
} from '../src/index.ts';
import { ACK, FIN, SYN } from '../src/wire.ts';
import { LendingDevice } from './lending-device.ts';
import {
  checksumOf,
  decodeSegment,
  encodeSegment,
  flagsOf,
  flagsText,
  type Option,
  type WireSegment,
} from './wire-text.ts';

export const LOCAL = 0x0a000001;
export const REMOTE = 0x0a000002;
const LOCAL_PORT = 8080;
const REMOTE_PORT = 4000;
/** The peer's timestamps begin here, so that a test may write them from 0. */
const PEER_TS_BASE = 1_000_000;

const OUT = 0x1000;
const IN = 0x21000;
const PAGES = 0x42000;

export interface HarnessOptions {
  /** Largest IPv4 packet of the path. */
  mtu?: number;
  /** Our ISN (the clock starts where the generator gives it). */
  iss?: number;
  /** The peer's ISN. */
  peerIss?: number;
  startUs?: number;
  memoryBytes?: number;
  checksumOffload?: boolean;
  /** Largest IP packet that the device cuts into segments itself. Default 0. */
  gsoMaxBytes?: number;
  seed?: number;
  /** Bytes of pages that packets may refer to. Default: none. */
  lendableBytes?: number;
  localPort?: number;
  remotePort?: number;
}

/** A remote end: what it needs to know so that scripts can be written in relative numbers. */
export class Peer {
  readonly address: number;
  readonly port: number;
  readonly localAddress: number;
  readonly localPort: number;
  /** Its ISN and ours; ours is learned from our SYN. */
  irs: number;
  iss = 0;
  issKnown = false;
  /** It puts timestamps on its segments. */
  timestamps = false;
  /** Our TSval that relative ones count from, and the latest we sent. */
  tsZero = 0;
  tsKnown = false;
  lastTsVal = 0;
  /** Its latest TSval, relative: what it sends by itself is not older. */
  ownTsVal = 0;

  constructor(address: number, port: number, localAddress: number, localPort: number, irs: number) {
    this.address = address;
    this.port = port;
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.irs = irs;
  }
}

/** A segment that TCP sent. */
export interface Sent extends WireSegment {
  atUs: number;
  tos: number;
  peer: Peer;
  bytes: Uint8Array;
  /** Relative to the ISNs. */
  relSeq: number;
  relAck: number;
}

/** What `in` takes beside its text. */
export interface InExtra {
  from?: Peer;
  tos?: number;
  /** Payload in place of the pattern. */
  data?: Uint8Array;
  /** Changes the bytes before they are handed over. */
  mangle?: (bytes: Uint8Array) => void;
  /** Cuts the packet into a head of so many bytes and fragments of the other lengths. */
  fragments?: number[];
  arrivedUs?: number;
  /** The device vouches for the checksum. */
  validated?: boolean;
}

/** The byte at a place of either stream (0 is the first after the SYN). */
export function patternByte(offset: number): number {
  return (Math.imul(offset, 31) + (offset >>> 8)) & 0xff;
}

/** It repeats after 2^16 bytes. */
const PERIOD = 65_536;
const PATTERN = Uint8Array.from({ length: 2 * PERIOD }, (_, i) => patternByte(i));

export function pattern(offset: number, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += PERIOD) {
    const from = (offset + at) & (PERIOD - 1);
    out.set(PATTERN.subarray(from, from + Math.min(PERIOD, bytes - at)), at);
  }
  return out;
}

/**
 * One TCP over a network that records, on virtual time, and a peer that says what the script says. Scripts are written
 * as packetdrill and tcpdump print: `t.in('P. 1:1001(1000) ack 1')`, `t.out('. 1:1(0) ack 1001')`, with numbers relative
 * to the ISNs. Options stand in angle brackets; a `TS` without values is any. What is not written is not compared.
 * After every step the audit of each connection must be clean, and every checksum sent must be right.
 */
export class Harness implements TcpNetwork {
  readonly time: VirtualTime;
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly lending: LendingDevice | undefined;
  readonly tcp: Tcp;
  readonly config: TcpConfig;
  readonly mtu: number;
  readonly checksumOffload: boolean;
  gsoMaxBytes: number;
  readonly peer: Peer;
  /** What was sent and not yet taken by `out`. */
  readonly queue: Sent[] = [];
  /** What the users of connections were told, and not yet taken by `told`. */
  readonly events: string[] = [];
  /** Errors that did not end a connection, as users were told of them. */
  readonly troubles: string[] = [];
  /** Connections that a listener handed out. */
  readonly accepted: Connection[] = [];
  /** Packets the device still takes. */
  room = Number.POSITIVE_INFINITY;
  /** No route to anybody. */
  noRoute = false;
  /** The connection that most scripts are about. */
  c!: Connection;
  listener: Listener | undefined;
  /** Called with each segment sent in place of recording it. */
  onSegment: ((sent: Sent) => void) | undefined;
  /** Reads whatever comes, at once. */
  readAll = false;
  confirmed = 0;
  doubted = 0;
  pathMtus = new Map<number, number>();
  readonly peers: Peer[] = [];
  readonly #packet = new Packet();
  #pathOf: TcpPath | undefined;
  #written = 0;
  #read = 0;

  constructor(config: Partial<TcpConfig> = {}, o: HarnessOptions = {}) {
    const { startUs = 1_000_000, memoryBytes = 8 << 20, seed = 1 } = o;
    // A script says what goes out at once.
    this.config = tcpConfig({ pacing: false, ...config });
    this.mtu = o.mtu ?? 1500;
    this.checksumOffload = o.checksumOffload ?? false;
    this.gsoMaxBytes = o.gsoMaxBytes ?? 0;
    this.memory = Memory.create({ bytes: memoryBytes });
    const lendable = o.lendableBytes ?? 0;
    this.pages = new PageAllocator(PAGES, this.memory.bytes - PAGES - lendable);
    if (lendable > 0) this.lending = new LendingDevice(this.memory, this.memory.bytes - lendable, lendable);
    this.peer = this.peerOn(o.remotePort ?? REMOTE_PORT, {
      localPort: o.localPort ?? LOCAL_PORT,
      irs: o.peerIss ?? 7000,
    });
    this.time = new VirtualTime(o.iss === undefined ? startUs : this.#startFor(o.iss, seed));
    this.tcp = this.#create(seed, this.time);
  }

  #create(seed: number, time: VirtualTime): Tcp {
    const { clock, timers } = time;
    return new Tcp({ network: this, pages: this.pages, clock, timers, random: seededRandom(seed) });
  }

  /** The ISN grows by one each 4 us: opens a connection at time 0 to see where it begins. */
  #startFor(iss: number, seed: number): number {
    const tcp = this.#create(seed, new VirtualTime(0));
    let seen = 0;
    this.onSegment = (sent) => {
      seen = sent.seq;
    };
    tcp.connect(this.#path(), this.peer.localPort, this.peer.port, this.config);
    tcp.close();
    this.onSegment = undefined;
    this.peer.issKnown = false;
    this.peer.tsKnown = false;
    return 4 * ((iss - seen) >>> 0) + 1;
  }

  // --- TcpNetwork ----------------------------------------------------------------------------------------------

  path(localAddress: number, remoteAddress: number): TcpPath | undefined {
    if (this.noRoute) return undefined;
    const h = this;
    return {
      localAddress: localAddress === 0 ? LOCAL : localAddress,
      remoteAddress,
      get deviceMtu() {
        return h.mtu;
      },
      get mtu() {
        return h.pathMtus.get(remoteAddress) ?? h.mtu;
      },
      device: h,
      txQueues: 1,
      checksumOffload: h.checksumOffload,
      gsoMaxBytes: h.gsoMaxBytes,
      reserve(tcpBytes: number): number {
        if (h.room <= 0) return 0;
        if (tcpBytes + 20 > Math.max(h.mtu, h.gsoMaxBytes))
          throw new Error(`a packet of ${tcpBytes + 20} bytes on a path of ${h.mtu}`);
        h.memory.u8.fill(0xdd, OUT, OUT + tcpBytes);
        return OUT;
      },
      lending: h.lending,
      reserveHeader(headerBytes: number): number {
        if (h.room <= 0) return 0;
        h.memory.u8.fill(0xdd, OUT, OUT + headerBytes);
        return OUT;
      },
      refer: (addr: number, bytes: number) => h.lending!.refer(addr, bytes),
      confirm: () => {
        h.confirmed++;
      },
      doubt: () => {
        h.doubted++;
      },
      send: (tcpBytes: number, tos: number) => h.#capture(tcpBytes, tos, this.localAddress, remoteAddress),
      setMtu: (bytes: number) => h.pathMtus.set(remoteAddress, bytes),
    } as TcpPath;
  }

  readonly localAddress = LOCAL;

  flush(): void {}

  #path(peer = this.peer): TcpPath {
    this.#pathOf = this.path(peer.localAddress, peer.address);
    if (this.#pathOf === undefined) throw new Error('no route');
    return this.#pathOf;
  }

  #capture(tcpBytes: number, tos: number, src: number, dst: number): void {
    this.room--;
    const bytes = this.memory.u8.slice(OUT, OUT + tcpBytes);
    const payload = this.lending?.send();
    if (payload !== undefined && payload.length > 0) bytes.set(payload, tcpBytes - payload.length);
    const segment = decodeSegment(bytes);
    const peer =
      this.peers.find((p) => p.address === dst && p.port === segment.dstPort && p.localPort === segment.srcPort) ??
      this.peerOn(segment.dstPort, { address: dst, localPort: segment.srcPort });
    if (segment.flags & SYN && !(peer.issKnown && peer.iss === segment.seq)) {
      peer.iss = segment.seq;
      peer.issKnown = true;
      peer.tsKnown = false;
    }
    const ts = segment.options.find((option) => option.kind === 'TS');
    if (ts?.kind === 'TS') {
      if (!peer.tsKnown) {
        peer.tsKnown = true;
        peer.tsZero = ts.val;
      }
      peer.lastTsVal = ts.val;
    }
    const relSeq = (segment.seq - peer.iss) | 0;
    const sent: Sent = {
      ...segment,
      atUs: this.time?.clock.now() ?? 0,
      tos,
      peer,
      bytes,
      relSeq,
      relAck: segment.flags & ACK ? (segment.ack - peer.irs) | 0 : segment.ack,
    };
    if (!this.checksumOffload && checksumOf(bytes, src, dst) !== 0)
      throw new Error(`wrong checksum: ${this.format(sent)}`);
    if (this.onSegment !== undefined) {
      this.onSegment(sent);
      return;
    }
    this.queue.push(sent);
  }

  // --- Opening -------------------------------------------------------------------------------------------------

  /** Another remote end. */
  peerOn(port: number, o: { address?: number; localPort?: number; irs?: number } = {}): Peer {
    const peer = new Peer(o.address ?? REMOTE, port, LOCAL, o.localPort ?? LOCAL_PORT, o.irs ?? 7000);
    this.peers.push(peer);
    return peer;
  }

  /** Sends a SYN. @param early bytes of the pattern to go first, with it if Fast Open may. */
  open(config: Partial<TcpConfig> = {}, peer = this.peer, early?: number): Connection {
    const data = early === undefined ? undefined : pattern(0, early);
    const c = this.tcp.connect(this.#path(peer), peer.localPort, peer.port, tcpConfig(config, this.config), data);
    if (typeof c === 'string') throw new Error(c);
    this.#written = early ?? this.#written;
    this.use(c);
    this.c = c;
    this.#settle();
    return c;
  }

  /** Opens actively; the peer's SYN-ACK is `< S. 0:0(0) ack 1 win WIN <OPTIONS>`. The handshake is taken off the record. */
  connect(options = '', o: { win?: number; rttMs?: number; finalWin?: number } = {}): this {
    const { win = 65535, rttMs = 0 } = o;
    this.open();
    this.takeOne(this.config.ecn === 'on' ? 'SEW' : 'S');
    if (rttMs > 0) this.wait(rttMs);
    if (options.includes('TS')) this.peer.timestamps = true;
    this.in(`S. 0:0(0) ack 1 win ${win} <${options}>`);
    this.takeOne('.');
    this.told('connect');
    return this;
  }

  listen(backlog = 16, config: Partial<TcpConfig> = {}, port = this.peer.localPort): Listener {
    const listener = this.tcp.listen(0, port, backlog, tcpConfig(config, this.config), (c) => {
      this.accepted.push(c);
      this.use(c);
      this.c = c;
      this.events.push('accept');
    });
    if (listener === undefined) throw new Error('EADDRINUSE');
    this.listener = listener;
    return listener;
  }

  /** Opens passively; the peer's SYN is `< S 0:0(0) win WIN <OPTIONS>`. The handshake is taken off the record. */
  accept(options = '', o: { win?: number; finalWin?: number; rttMs?: number } = {}): this {
    const { win = 65535, finalWin = win, rttMs = 0 } = o;
    if (this.listener === undefined) this.listen();
    if (options.includes('TS')) this.peer.timestamps = true;
    this.in(`S 0:0(0) win ${win} <${options}>`);
    this.takeOne('S.');
    if (rttMs > 0) this.wait(rttMs);
    this.in(`. 1:1(0) ack 1 win ${finalWin}`);
    this.told('accept');
    return this;
  }

  /** Notes what a connection's user is told. */
  use(c: Connection): void {
    const note = (event: string) => this.events.push(event);
    const user_: ConnectionUser = {
      onConnect: () => note('connect'),
      onReadable: () => {
        if (this.readAll) this.#readNow(c, c.rcv.readable);
        else note('readable');
      },
      onWritable: () => note('writable'),
      onUrgent: () => note('urgent'),
      onTrouble: (code) => this.troubles.push(code),
      onReturned: () => note('returned'),
      onEnd: () => note('end'),
      onClose: (error) => note(error === undefined ? 'close' : `close ${error}`),
    };
    c.user = user_;
  }

  // --- The script ----------------------------------------------------------------------------------------------

  /** A segment of the peer arrives: `FLAGS SEQ[:END(LEN)] [ack N] [win N] [urg N] [<OPTIONS>]`. */
  in(text: string, extra: InExtra = {}): void {
    this.batch(() => this.feed(text, extra));
  }

  /** Several segments in one batch, as a driver hands them up. */
  batch(feed: () => void): void {
    this.tcp.beginBatch();
    feed();
    this.tcp.endBatch();
    this.#settle();
  }

  /** A segment within a batch. */
  feed(text: string, extra: InExtra = {}): void {
    const peer = extra.from ?? this.peer;
    const match =
      /^([SFRP.UEWA-]+) (-?\d+)(?::(-?\d+)\((\d+)\))?(?: ack (-?\d+))?(?: win (\d+))?(?: urg (\d+))?(?: <(.*)>)?$/.exec(
        text,
      );
    if (match === null) throw new Error(`not a segment: ${text}`);
    const [, letters, seq, end, length = '0', ack, win, urg, options] = match;
    if (end !== undefined && Number(end) - Number(seq) !== Number(length)) throw new Error(`lengths differ: ${text}`);
    const flags = flagsOf(letters!);
    const relSeq = Number(seq);
    const list = options === undefined || options === '' ? [] : this.#parseOptions(options, peer);
    if (peer.timestamps && options === undefined && !(flags & 4)) {
      const val = PEER_TS_BASE + this.#peerTsVal(peer);
      list.push({ kind: 'nop' }, { kind: 'nop' }, { kind: 'TS', val, ecr: flags & ACK ? peer.lastTsVal : 0 });
    }
    const bytes = encodeSegment(
      {
        srcPort: peer.port,
        dstPort: peer.localPort,
        seq: (peer.irs + relSeq) | 0,
        ack: ack === undefined ? 0 : (Number(ack) + peer.iss) | 0,
        flags,
        window: win === undefined ? 65535 : Number(win),
        urgent: urg === undefined ? 0 : Number(urg),
        options: list,
        payload: extra.data ?? pattern(relSeq - (flags & SYN ? 0 : 1), Number(length)),
      },
      peer.address,
      peer.localAddress,
    );
    extra.mangle?.(bytes);
    this.feedBytes(bytes, extra, peer);
  }

  /** Raw bytes of a TCP segment within a batch. */
  feedBytes(bytes: Uint8Array, extra: InExtra = {}, peer = this.peer): void {
    const { memory } = this;
    const packet = this.#packet;
    memory.u8.set(bytes, IN);
    packet.set(IN, bytes.length);
    packet.arrivedUs = extra.arrivedUs ?? this.time.clock.now();
    if (extra.validated) packet.flags |= 2;
    if (extra.fragments !== undefined) {
      // Each fragment has a place of its own, at odd addresses too.
      let at = extra.fragments[0]!;
      packet.headLen = at;
      extra.fragments.slice(1).forEach((length, i) => {
        const to = IN + 0x10000 + i * 4096 + (i & 1);
        memory.u8.set(bytes.subarray(at, at + length), to);
        packet.fragAddr[i] = to;
        packet.fragLen[i] = length;
        packet.fragCount = i + 1;
        at += length;
      });
      if (at !== bytes.length) throw new Error(`fragments are ${at} of ${bytes.length} bytes`);
    }
    this.tcp.input(packet, peer.address, peer.localAddress, extra.tos ?? 0);
    // Whatever TCP wants to keep it has copied.
    memory.u8.fill(0xcc, IN, IN + 0x20000);
  }

  /** The next segments sent are these. @returns the last of them. */
  out(...texts: string[]): Sent {
    let last: Sent | undefined;
    for (const text of texts) {
      const sent = this.queue.shift();
      if (sent === undefined) throw new Error(`nothing was sent, expected ${text}`);
      expect(this.format(sent, text)).toBe(text);
      last = sent;
    }
    return last!;
  }

  /** Exactly these were sent since, no more. */
  outAll(...texts: string[]): void {
    const all = this.queue.splice(0);
    expect(all.map((sent, i) => this.format(sent, texts[i] ?? ''))).toEqual(texts);
  }

  /** Nothing (more) was sent. */
  quiet(): void {
    expect(this.queue.map((sent) => this.format(sent, 'win <>'))).toEqual([]);
  }

  /** Takes one segment with these flags off the record. */
  takeOne(flags: string): Sent {
    const sent = this.queue.shift();
    if (sent === undefined) throw new Error(`nothing was sent, expected ${flags}`);
    expect(flagsText(sent.flags)).toBe(flags);
    return sent;
  }

  /** Forgets what was sent. @returns it. */
  drain(): Sent[] {
    return this.queue.splice(0);
  }

  /** Time passes. */
  wait(ms: number): void {
    this.#runTo(this.time.clock.now() + Math.round(ms * 1000));
  }

  /** Time passes and nothing is sent. */
  quietFor(ms: number): void {
    this.quiet();
    this.wait(ms);
    this.quiet();
  }

  /** Time runs until something is sent, and that is what it is. @returns milliseconds that took. */
  next(text: string, limitMs = 1e9): number {
    this.quiet();
    const from = this.time.clock.now();
    while (this.queue.length === 0) {
      const at = this.time.timers.next();
      if (at > from + limitMs * 1000) throw new Error(`nothing is sent within ${limitMs} ms, expected ${text}`);
      this.time.step();
      this.audit();
    }
    const ms = (this.time.clock.now() - from) / 1000;
    this.out(text);
    return ms;
  }

  /** These were told to users since. */
  told(...events: string[]): void {
    expect(this.events.splice(0)).toEqual(events);
  }

  // --- The user ------------------------------------------------------------------------------------------------

  /** Writes so many bytes of the pattern. @returns how many were taken. */
  write(bytes: number, flags = 0, c = this.c): number {
    const taken = user.write(c, pattern(this.#written, bytes), flags);
    if (taken > 0) this.#written += taken;
    this.#done();
    return taken;
  }

  /** Reads up to so many bytes and holds them against the pattern. @returns how many came. */
  read(bytes = Number.POSITIVE_INFINITY, c = this.c): number {
    const got = this.#readNow(c, Math.min(bytes, c.rcv.readable));
    this.#done();
    return got;
  }

  #readNow(c: Connection, bytes: number): number {
    const into = new Uint8Array(bytes);
    const got = user.read(c, into);
    expect(Buffer.compare(into.subarray(0, got), pattern(this.#read, got)), 'the bytes read are those sent').toBe(0);
    this.#read += got;
    return got;
  }

  /** Reads without a look at what it is. */
  readRaw(into: Uint8Array, c = this.c): number {
    const got = user.read(c, into);
    this.#done();
    return got;
  }

  shutdown(c = this.c): void {
    user.shutdown(c);
    this.#done();
  }

  close(c = this.c, lingerUs = Number.POSITIVE_INFINITY): void {
    user.close(c, lingerUs);
    this.#done();
  }

  reset(c = this.c): void {
    user.reset(c);
    this.#done();
  }

  configure(partial: Partial<TcpConfig>, c = this.c): void {
    user.configure(c, partial);
    this.#done();
  }

  #done(): void {
    this.tcp.userDone();
    this.#settle();
  }

  // --- Looking -------------------------------------------------------------------------------------------------

  get state(): string {
    return this.c.stateName;
  }

  get stats() {
    return this.tcp.stats;
  }

  get nowMs(): number {
    return this.time.clock.now() / 1000;
  }

  info(c = this.c): TcpInfo {
    return tcpInfo(c, this.time.clock.now());
  }

  /** As packetdrill would print it, as far as `like` asks: window, urgent pointer and options where it names them. */
  format(sent: Sent, like = ''): string {
    const { flags, relSeq, relAck, payload, window, urgent, options } = sent;
    let text = `${flagsText(flags)} ${relSeq}:${relSeq + payload.length}(${payload.length})`;
    if (flags & ACK) text += ` ack ${relAck}`;
    if (/ win\b/.test(like)) text += ` win ${window}`;
    if (/ urg\b/.test(like)) text += ` urg ${urgent}`;
    if (like.includes('<')) {
      const nops = like.includes('nop');
      const digits = /TS \d/.test(like);
      const shown = options.filter((o) => o.kind !== 'nop' || nops);
      text += ` <${shown.map((o) => this.#optionText(o, sent.peer, digits)).join(',')}>`;
    }
    return text;
  }

  /** Runs the audit over every connection. */
  audit(): void {
    for (const c of this.tcp.awakeConnections) {
      const wrong = auditConnection(c);
      if (wrong !== undefined) throw new Error(`audit of ${c.stateName} on port ${c.localPort}: ${wrong}`);
    }
  }

  #optionText(o: Option, peer: Peer, digits: boolean): string {
    switch (o.kind) {
      case 'mss':
      case 'wscale':
        return `${o.kind} ${o.value}`;
      case 'sack':
        return `sack ${o.blocks.map(([l, r]) => `${(l - peer.irs) | 0}:${(r - peer.irs) | 0}`).join(' ')}`;
      case 'TS':
        if (!digits) return 'TS';
        return `TS ${(o.val - peer.tsZero) | 0} ecr ${o.ecr === 0 ? 0 : (o.ecr - PEER_TS_BASE) | 0}`;
      case 'FO':
        return `FO ${Buffer.from(o.cookie).toString('hex')}`;
      case 'raw':
        return `raw ${Buffer.from(o.bytes).toString('hex')}`;
      default:
        return o.kind;
    }
  }

  #parseOptions(text: string, peer: Peer): Option[] {
    return text.split(',').map((part): Option => {
      const [kind, ...rest] = part.trim().split(' ');
      switch (kind) {
        case 'nop':
        case 'eol':
        case 'sackOK':
          return { kind };
        case 'mss':
        case 'wscale':
          return { kind, value: Number(rest[0]) };
        case 'TS': {
          // TS VAL ecr ECR, relative to the peer's base and to our first TSval; bare TS is now, and what we sent last.
          const val = rest.length === 0 ? this.#peerTsVal(peer) : Number(rest[0]);
          peer.ownTsVal = val;
          const ecr = rest.length === 0 ? peer.lastTsVal : peer.tsKnown ? peer.tsZero + Number(rest[2]) : 0;
          return { kind, val: (PEER_TS_BASE + val) | 0, ecr: ecr | 0 };
        }
        case 'sack':
          return {
            kind,
            blocks: rest.map((block) => {
              const [left, right] = block.split(':').map((n) => (Number(n) + peer.iss) | 0);
              return [left!, right!];
            }),
          };
        case 'FO':
          return { kind, cookie: Uint8Array.from(Buffer.from(rest[0] ?? '', 'hex')) };
        case 'raw':
          return { kind, bytes: Uint8Array.from(Buffer.from(rest[0] ?? '', 'hex')) };
        default:
          throw new Error(`option ${part}`);
      }
    });
  }

  #peerTsVal(peer: Peer): number {
    return Math.max(Math.floor(this.time.clock.now() / 1000), peer.ownTsVal);
  }

  #runTo(untilUs: number): void {
    while (this.time.timers.next() <= untilUs && this.time.step()) this.audit();
    if (untilUs > this.time.clock.now()) this.time.clock.advanceTo(untilUs);
  }

  /** Lets what is due at this very time happen, and looks whether all is well. */
  #settle(): void {
    while (this.time.timers.next() <= this.time.clock.now()) this.time.step();
    this.audit();
  }
}

/** End of a segment in relative numbers. */
export function endOf(sent: Sent): number {
  return sent.relSeq + sent.payload.length + (sent.flags & (SYN | FIN) ? 1 : 0);
}
