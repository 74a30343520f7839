import { Memory, Packet, PageAllocator } from '@qanat/bytes';
import { seededRandom, Timer, VirtualTime } from '@qanat/clock';
import { expect } from 'vitest';
import {
  auditConnection,
  type Connection,
  Tcp,
  type TcpConfig,
  type TcpInfo,
  type TcpNetwork,
  type TcpPath,
  tcpConfig,
  tcpInfo,
  user,
} from '../src/index.ts';
import { pattern } from './harness.ts';
import { decodeSegment, type WireSegment } from './wire-text.ts';

const OUT = 0x1000;
const IN = 0x12000;
const PAGES = 0x24000;
const PORT = 80;
const CHUNK = 65_536;

/** A segment on its way. */
export interface Flying extends WireSegment {
  from: 'a' | 'b';
  /** Counts the segments of its end, from 0. */
  index: number;
  atUs: number;
}

/** What the link does with a segment: the delays of its copies in microseconds; none, and it is lost. */
export type Link = (segment: Flying) => number[];

export interface PairOptions {
  /** One way, for a link that does nothing else. */
  delayUs?: number;
  link?: Link;
  mtu?: number;
  a?: Partial<TcpConfig>;
  b?: Partial<TcpConfig>;
  startUs?: number;
  memoryBytes?: number;
}

/** One end of the link: a TCP, and an application that writes and reads the pattern. */
export class End implements TcpNetwork {
  readonly memory: Memory;
  readonly tcp: Tcp;
  readonly config: TcpConfig;
  c!: Connection;
  events: string[] = [];
  /** Bytes of the stream to write in all, and written and read so far. */
  toWrite = 0;
  written = 0;
  read = 0;
  /** The application reads at once what comes. */
  reading = true;
  /** Shut down when everything is written, and with `close` let go when the peer has ended too. */
  atEnd: 'keep' | 'shutdown' | 'close' = 'keep';
  sent = 0;
  readonly #pair: Pair;
  readonly #name: 'a' | 'b';
  readonly #address: number;
  readonly #into = new Uint8Array(CHUNK);
  readonly #packet = new Packet();

  constructor(
    pair: Pair,
    name: 'a' | 'b',
    address: number,
    config: Partial<TcpConfig>,
    memoryBytes: number,
    seed: number,
  ) {
    this.#pair = pair;
    this.#name = name;
    this.#address = address;
    this.config = tcpConfig(config);
    this.memory = Memory.create({ bytes: memoryBytes });
    const pages = new PageAllocator(PAGES, this.memory.bytes - PAGES);
    const { clock, timers } = pair.time;
    this.tcp = new Tcp({ network: this, pages, clock, timers, random: seededRandom(seed) });
  }

  path(_local: number, remoteAddress: number): TcpPath {
    const { mtu } = this.#pair;
    return {
      localAddress: this.#address,
      remoteAddress,
      mtu,
      deviceMtu: mtu,
      device: this,
      txQueues: 1,
      checksumOffload: false,
      gsoMaxBytes: 0,
      reserve: () => OUT,
      confirm() {},
      doubt() {},
      send: (bytes: number) => this.#pair.carry(this.#name, this.memory.u8.slice(OUT, OUT + bytes), this.sent++),
    } as TcpPath;
  }

  flush(): void {}

  receive(bytes: Uint8Array, from: number): void {
    this.memory.u8.set(bytes, IN);
    this.#packet.set(IN, bytes.length);
    this.#packet.arrivedUs = this.#pair.time.clock.now();
    this.tcp.beginBatch();
    this.tcp.input(this.#packet, from, this.#address);
    this.tcp.endBatch();
  }

  use(c: Connection): void {
    this.c = c;
    c.user = {
      onConnect: () => {
        this.events.push('connect');
        this.pump();
      },
      onReadable: () => this.pump(),
      onWritable: () => this.pump(),
      onUrgent: () => this.events.push('urgent'),
      onEnd: () => {
        this.events.push('end');
        this.pump();
      },
      onClose: (error) => this.events.push(error === undefined ? 'close' : `close ${error}`),
    };
  }

  /** Reads and writes what can be. */
  pump(): void {
    while (this.reading) {
      const got = user.read(this.c, this.#into);
      if (got === 0) break;
      if (Buffer.compare(this.#into.subarray(0, got), pattern(this.read, got)) !== 0) {
        throw new Error(`${this.#name}: wrong bytes from ${this.read} on`);
      }
      this.read += got;
    }
    while (this.written < this.toWrite) {
      const taken = user.write(this.c, pattern(this.written, Math.min(CHUNK, this.toWrite - this.written)));
      if (taken <= 0) break;
      this.written += taken;
    }
    if (this.written >= this.toWrite && this.atEnd !== 'keep') {
      user.shutdown(this.c);
      if (this.atEnd === 'close' && this.events.includes('end')) user.close(this.c);
    }
    this.tcp.userDone();
  }

  info(): TcpInfo {
    return tcpInfo(this.c, this.#pair.time.clock.now());
  }
}

/** Two TCPs and a link between them that does what the test says, on virtual time. */
export class Pair {
  readonly time: VirtualTime;
  readonly mtu: number;
  readonly a: End;
  readonly b: End;
  link: Link;
  /** Every segment, as it was sent. */
  readonly log: Flying[] = [];
  readonly #startUs: number;

  constructor(o: PairOptions = {}) {
    const { delayUs = 10_000, startUs = 1_000_000, memoryBytes = 16 << 20 } = o;
    this.#startUs = startUs;
    this.time = new VirtualTime(startUs);
    this.mtu = o.mtu ?? 1500;
    this.link = o.link ?? (() => [delayUs]);
    this.a = new End(this, 'a', 1, o.a ?? {}, memoryBytes, 11);
    this.b = new End(this, 'b', 2, o.b ?? {}, memoryBytes, 22);
  }

  /** `a` opens to `b`. */
  connect(): this {
    this.b.tcp.listen(0, PORT, 8, this.b.config, (c) => {
      this.b.use(c);
      this.b.pump();
    });
    const c = this.a.tcp.connect(this.a.path(0, 2), 4000, PORT, this.a.config);
    if (typeof c === 'string') throw new Error(c);
    this.a.use(c);
    return this;
  }

  carry(from: 'a' | 'b', bytes: Uint8Array, index: number): void {
    const segment: Flying = { ...decodeSegment(bytes), from, index, atUs: this.time.clock.now() };
    this.log.push(segment);
    const to = from === 'a' ? this.b : this.a;
    for (const delayUs of this.link(segment)) {
      const timer = new Timer(() => to.receive(bytes, from === 'a' ? 1 : 2));
      this.time.timers.arm(timer, this.time.clock.now() + delayUs);
    }
  }

  get nowMs(): number {
    return (this.time.clock.now() - this.#startUs) / 1000;
  }

  /** Runs for so long, with an audit after every step. */
  run(ms: number): void {
    const until = this.time.clock.now() + ms * 1000;
    while (this.time.timers.next() <= until && this.time.step()) this.audit();
    if (this.time.clock.now() < until) this.time.clock.advanceTo(until);
  }

  /** Runs until something holds. @returns milliseconds since the start. @throws when it does not in so long. */
  until(done: () => boolean, limitMs: number): number {
    const limit = this.time.clock.now() + limitMs * 1000;
    while (!done()) {
      if (this.time.timers.next() > limit || !this.time.step()) {
        const figures = [this.a, this.b].map((end) => `${end.c?.stateName} wrote ${end.written} read ${end.read}`);
        throw new Error(`not within ${limitMs} ms: ${figures.join('; ')}`);
      }
      this.audit();
    }
    return this.nowMs;
  }

  /** Moves so many bytes from `a` to `b`. @returns milliseconds since the start. */
  transfer(bytes: number, limitMs = 600_000): number {
    this.a.toWrite += bytes;
    this.a.pump();
    return this.until(() => this.b.read === this.a.toWrite, limitMs);
  }

  audit(): void {
    for (const end of [this.a, this.b]) {
      for (const c of end.tcp.awakeConnections) {
        const wrong = auditConnection(c);
        if (wrong !== undefined) throw new Error(`audit of ${end === this.a ? 'a' : 'b'}, ${c.stateName}: ${wrong}`);
      }
    }
  }

  /** Nothing is left: no connection, no timer. */
  expectSilence(): void {
    expect([this.a.tcp.connectionCount, this.b.tcp.connectionCount, this.time.timers.size]).toEqual([0, 0, 0]);
  }
}
