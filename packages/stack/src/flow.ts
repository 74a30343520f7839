import { PAGE_SIZE } from '@qanat/bytes';
import { type FlowLog, type FlowRecord, FlowRecorder } from '@qanat/flowlog';
import { formatAddress } from '@qanat/ipv4';
import {
  addObserver,
  type Connection,
  type ConnectionUser,
  countersOf,
  formatSs,
  removeObserver,
  ssInfo,
  type Tcp,
  type TcpConfig,
  type TcpCounters,
  type TcpErrorCode,
  type TcpInfo,
  type TcpState,
  tcpInfo,
  user,
} from '@qanat/tcp';
import { NetError } from './net-error.ts';

/** One end of a flow. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** How a write shall be sent. */
export interface WriteOptions {
  /** More follows at once (MSG_MORE). */
  readonly more?: boolean;
  /** A segment must end here (MSG_EOR). */
  readonly endOfRecord?: boolean;
  /** Urgent (MSG_OOB): the peer is told of it ahead. */
  readonly urgent?: boolean;
}

function writeFlags(o: WriteOptions): number {
  return (
    (o.more === true ? user.WRITE_MORE : 0) |
    (o.endOfRecord === true ? user.WRITE_END_OF_RECORD : 0) |
    (o.urgent === true ? user.WRITE_URGENT : 0)
  );
}

/** What the user calls of TCP return for a write that is impossible. */
const WRITE_SHUT = -1;
const NO_MEMORY = -2;

/**
 * A TCP connection at the zero-promise level: plain calls that never block, and callbacks that come at the end of a
 * batch of segments or a timer, never from within a call. Streams and sockets stand on this.
 */
export class Flow {
  /** The handshake is complete (flows of a listener come connected). */
  onConnect: (() => void) | undefined;
  /** There is something to read. Called again when more comes, not while old data merely lies there. */
  onReadable: (() => void) | undefined;
  /** After a write that was not taken whole: there is room again. */
  onWritable: (() => void) | undefined;
  /**
   * Memory that was lent is given back: `lent` has become less. It comes even after `onClose`, when packets were still on
   * their way at the end.
   */
  onReturned: (() => void) | undefined;
  /** The peer has sent all it will (FIN); what is still readable comes before it. */
  onEnd: (() => void) | undefined;
  /** The peer says that urgent data is on its way (RFC 6093: it stays in the stream). */
  onUrgent: (() => void) | undefined;
  /**
   * The flow is in trouble, and lives: the network says that the host cannot be reached now, or what was sent went
   * unanswered several times (ETIMEDOUT). RFC 9293 section 3.9.1.8.
   */
  onTrouble: ((error: NetError) => void) | undefined;
  /** The flow is over; with the error that ended it, if one did. The last call. */
  onClose: ((error?: NetError) => void) | undefined;

  readonly #tcp: Tcp;
  /** The connection, or the slot in which it sleeps. */
  #at: Connection | number;
  #recorder: FlowRecorder | undefined;

  /** @internal Flows are made by `Stack.connect` and by listeners. @param live the set of flows that it leaves at its end. */
  constructor(tcp: Tcp, connection: Connection, live: Set<Flow>) {
    this.#tcp = tcp;
    this.#at = connection;
    connection.user = new FlowUser(this, live);
    live.add(this);
  }

  get #connection(): Connection {
    const at = this.#at;
    return typeof at === 'number' ? this.#tcp.wake(at) : at;
  }

  /** The connection to be looked at: while it sleeps a copy. */
  get #seen(): Connection {
    const at = this.#at;
    return typeof at === 'number' ? this.#tcp.snapshot(at) : at;
  }

  /** @internal The connection fell asleep, or woke. */
  moveTo(at: Connection | number): void {
    this.#at = at;
  }

  get local(): Endpoint {
    const { localAddress, localPort } = this.#seen;
    return { address: formatAddress(localAddress), port: localPort };
  }

  get remote(): Endpoint {
    const { remoteAddress, remotePort } = this.#seen;
    return { address: formatAddress(remoteAddress), port: remotePort };
  }

  get state(): TcpState {
    return typeof this.#at === 'number' ? 'ESTABLISHED' : this.#at.stateName;
  }

  /** A snapshot with the field names of Linux's tcp_info. */
  info(): TcpInfo {
    return tcpInfo(this.#seen, this.#tcp.readClock());
  }

  /** The two lines that `ss -tin` would print for it. */
  ss(): string {
    return formatConnection(this.#seen, this.#tcp.readClock());
  }

  /** What befell it, with the names of Linux's MIB: RetransSegs, TCPTimeouts, TCPLossProbes, ...; zeros are left out. */
  counters(): TcpCounters {
    return countersOf(this.#seen);
  }

  /**
   * Changes tunables while the flow lives: noDelay, keepAlive and its times, userTimeoutUs, congestion, ...; buffer
   * sizes and what the handshake settled stay.
   * @throws RangeError naming the tunable, its value and its range.
   */
  configure(tcp: Partial<TcpConfig>): void {
    user.configure(this.#connection, tcp);
    this.#tcp.userDone();
  }

  // --- Sending -------------------------------------------------------------------------------------------------

  /**
   * Queues bytes to be sent; they are copied.
   * @returns how many were taken; when fewer than given, `onWritable` tells when there is room.
   * @throws NetError EPIPE after shutdown, close or a reset; ENOBUFS when the domain has no pages left.
   */
  write(bytes: Uint8Array, options?: WriteOptions): number {
    return this.#written(user.write(this.#connection, bytes, options === undefined ? 0 : writeFlags(options)));
  }

  /**
   * Queues several arrays, one behind the other, as `write` would their concatenation: what goes out is decided when all
   * are queued, so that no short segment comes between.
   * @returns how many bytes were taken, counted over all of them. @throws NetError as `write`.
   */
  writev(buffers: readonly Uint8Array[], options?: WriteOptions): number {
    return this.#written(user.writev(this.#connection, buffers, options === undefined ? 0 : writeFlags(options)));
  }

  /** As `write`, from `bytes` bytes at `addr` of machine memory. */
  writeFrom(addr: number, bytes: number): number {
    return this.#written(user.writeFrom(this.#connection, addr, bytes));
  }

  /**
   * Queues `bytes` bytes at `addr` of machine memory where they lie (as MSG_ZEROCOPY does): they must stay as they are until
   * they are given back, which happens in the order in which they were lent (`lent`, `onReturned`), once they are
   * acknowledged and no packet refers to them. From memory of `allocLendable` long writes go out without any copy of ours;
   * other memory is copied when it is sent.
   * @returns how many were taken; when fewer than given, `onWritable` tells when there is room.
   * @throws NetError EPIPE after shutdown, close or a reset. @throws RangeError when that is no memory of the machine.
   */
  lend(addr: number, bytes: number): number {
    if (!(addr > 0 && bytes >= 0 && addr + bytes <= this.#tcp.memory.bytes)) {
      throw new RangeError(`lend of ${bytes} bytes at ${addr}: the machine's memory has ${this.#tcp.memory.bytes}`);
    }
    return this.#written(user.lend(this.#connection, addr, bytes));
  }

  /** Bytes lent and not given back. */
  get lent(): number {
    return typeof this.#at === 'number' ? 0 : this.#at.snd.lent;
  }

  /**
   * Memory to be lent without a copy: pages that the other side of the flow's device may read at any time. Nothing else
   * should be put there. It belongs to the device, and can be lent to any flow that goes out by it; where the device has
   * none (left), it is ordinary memory.
   * @returns the address of at least `bytes` bytes, from the beginning of a page on; 0 when there is no memory.
   */
  allocLendable(bytes: number): number {
    const count = Math.ceil(bytes / PAGE_SIZE);
    const addr = this.#connection.path.lending?.alloc(count) ?? 0;
    return addr === 0 ? this.#tcp.pages.allocContiguous(count) : addr;
  }

  /** Gives memory of `allocLendable(bytes)` back; what packets refer to stays out of use until they are answered. */
  freeLendable(addr: number, bytes: number): void {
    const count = Math.ceil(bytes / PAGE_SIZE);
    const { lending } = this.#connection.path;
    if (lending?.holds(addr, bytes)) lending.free(addr, count);
    else this.#tcp.pages.free(addr, count);
  }

  /** Bytes that a write would take now. */
  get writable(): number {
    return user.mayWrite(this.#connection) ? user.sndFree(this.#connection) : 0;
  }

  /** Bytes written and not acknowledged. */
  get unacknowledged(): number {
    return typeof this.#at === 'number' ? 0 : this.#at.snd.bytes;
  }

  #written(taken: number): number {
    if (taken < 0) {
      if (taken === NO_MEMORY) throw new NetError('ENOBUFS', 'write');
      if (taken === WRITE_SHUT) throw this.#connection.error === undefined ? this.#epipe() : this.#error('write');
    }
    this.#tcp.userDone();
    return taken;
  }

  #epipe(): NetError {
    const { address, port } = this.remote;
    return new NetError('EPIPE', 'write', address, port);
  }

  // --- Receiving -----------------------------------------------------------------------------------------------

  /** Bytes that can be read now. */
  get readable(): number {
    return typeof this.#at === 'number' ? 0 : this.#at.rcv.readable;
  }

  /** Whether the peer's FIN has come and everything before it was read. */
  get ended(): boolean {
    return this.#connection.finReceived && this.#connection.rcv.readable === 0;
  }

  /** Bytes up to the end of what the peer called urgent, 0 when nothing is (RFC 6093: it stays in the stream). */
  get urgentBytes(): number {
    return user.urgentBytes(this.#connection);
  }

  /** Copies what there is into `into`. @returns bytes read, 0 when there is nothing (now, or ever: see `ended`). */
  read(into: Uint8Array): number {
    const bytes = user.read(this.#connection, into);
    if (bytes > 0) this.#tcp.userDone();
    return bytes;
  }

  /** As `read`, into machine memory. */
  readInto(addr: number, bytes: number): number {
    const taken = user.readInto(this.#connection, addr, bytes);
    if (taken > 0) this.#tcp.userDone();
    return taken;
  }

  /**
   * Address in machine memory of the next byte to read; `peekBytes` of them lie there contiguously. They stay where they
   * are, and may be looked at in place, until they are consumed, the callback (or the turn of the loop) that looked ends,
   * or the flow is closed: when more comes, the buffer may grow and move.
   */
  get peekAddr(): number {
    return this.#connection.rcv.peekAddr;
  }

  /** Contiguous readable bytes at `peekAddr`; after `consume` of them there may be more at another place. */
  get peekBytes(): number {
    return typeof this.#at === 'number' ? 0 : this.#at.rcv.peekBytes;
  }

  /** Marks `bytes` as read without copying them. @throws RangeError when that many are not readable. */
  consume(bytes: number): void {
    user.consume(this.#connection, bytes);
    if (bytes > 0) this.#tcp.userDone();
  }

  // --- Ending --------------------------------------------------------------------------------------------------

  /** Half close: a FIN follows what is queued; receiving goes on. */
  shutdown(): void {
    user.shutdown(this.#connection);
    this.#tcp.userDone();
  }

  /**
   * Lets go of the flow: queued data and a FIN still go out. With unread data the peer gets a RST (RFC 9293 SHLD-3).
   * @param options `lingerMs` bounds how long that may take until all is acknowledged; then, at 0 at once, the peer gets
   * a RST and what it does not have is lost (SO_LINGER).
   */
  close(options: { readonly lingerMs?: number } = {}): void {
    user.close(this.#connection, options.lingerMs === undefined ? undefined : options.lingerMs * 1000);
    this.#tcp.userDone();
  }

  /** Ends the flow at once with a RST; what is queued is lost. */
  reset(): void {
    user.reset(this.#connection);
    this.#tcp.userDone();
  }

  // --- The debug log of the flow, with the names of 2013 -----------------------------------------------------------

  /**
   * Starts (or goes on) recording the flow's TCP events, beside a recording of the whole stack.
   * @param records most that are kept, the oldest give way; only the first start sets it.
   * @returns whether it was off before.
   */
  startLogging(records?: number): boolean {
    this.#recorder ??= new FlowRecorder(records === undefined ? {} : { records });
    const changed = this.#recorder.startLogging();
    if (changed) addObserver(this.#connection, this.#recorder);
    return changed;
  }

  /** Stops recording; what is held stays. @returns whether it was on before. */
  stopLogging(): boolean {
    const recorder = this.#recorder;
    if (recorder === undefined || !recorder.stopLogging()) return false;
    removeObserver(this.#connection, recorder);
    return true;
  }

  /** Forgets what was recorded. */
  cleanLog(): void {
    this.#recorder?.cleanLog();
  }

  /** The records, newest first. */
  getRawLogDump(): FlowRecord[] {
    return this.#recorder?.getRawLogDump() ?? [];
  }

  /** A copy of the records, oldest first. */
  getLogDumpCopy(): FlowRecord[] {
    return this.#recorder?.getLogDumpCopy() ?? [];
  }

  /** A copy of the records without an object for each: for large logs. Undefined when the flow never logged. */
  logSnapshot(): FlowLog | undefined {
    return this.#recorder?.snapshot();
  }

  /** @internal */
  toError(syscall: string, code: TcpErrorCode): NetError {
    return this.#error(syscall, code);
  }

  #error(syscall: string, code: TcpErrorCode = this.#connection.error ?? 'ECONNRESET'): NetError {
    const { address, port } = this.remote;
    return new NetError(code, syscall, address, port);
  }
}

/** Hands a connection's events on to its flow: small, as there may be a hundred thousand. */
class FlowUser implements ConnectionUser {
  readonly #flow: Flow;
  readonly #live: Set<Flow>;

  constructor(flow: Flow, live: Set<Flow>) {
    this.#flow = flow;
    this.#live = live;
  }

  onConnect(): void {
    this.#flow.onConnect?.();
  }

  onReadable(): void {
    this.#flow.onReadable?.();
  }

  onWritable(): void {
    this.#flow.onWritable?.();
  }

  onReturned(): void {
    this.#flow.onReturned?.();
  }

  onEnd(): void {
    this.#flow.onEnd?.();
  }

  onUrgent(): void {
    this.#flow.onUrgent?.();
  }

  onTrouble(code: TcpErrorCode): void {
    this.#flow.onTrouble?.(this.#flow.toError('connect', code));
  }

  onSleep(slot: number): void {
    this.#flow.moveTo(slot);
  }

  onWake(c: Connection): void {
    this.#flow.moveTo(c);
  }

  onClose(code: TcpErrorCode | undefined): void {
    this.#live.delete(this.#flow);
    this.#flow.onClose?.(code === undefined ? undefined : this.#flow.toError(syscallOf(code), code));
  }
}

/** @internal */
export function formatConnection(c: Connection, nowUs: number): string {
  const local = `${formatAddress(c.localAddress)}:${c.localPort}`;
  return formatSs(ssInfo(c, nowUs), local, `${formatAddress(c.remoteAddress)}:${c.remotePort}`);
}

/** Which call Node would name for an error that ends a connection. */
function syscallOf(code: TcpErrorCode): string {
  return code === 'ECONNRESET' || code === 'ECONNABORTED' ? 'read' : 'connect';
}
