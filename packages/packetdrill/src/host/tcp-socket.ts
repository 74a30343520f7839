import type { Clock } from '@qanat/clock';
import { formatAddress } from '@qanat/ipv4';
import { type Flow, NetError, type Stack } from '@qanat/stack';
import { CONSTANTS, ERRNO } from '../constants.ts';
import { UnsupportedError } from '../errors.ts';
import { AcceptQueue } from './accept-queue.ts';
import { lingeringClose, readBytes } from './flow-calls.ts';
import { done, failed, failure, success, waiting } from './open-file.ts';
import { connectionMask, POLL_READ, POLL_WRITE } from './poll-mask.ts';
import { SendBuffer } from './send-buffer.ts';
import { SocketFile } from './socket-file.ts';
import { SocketOptions } from './socket-options.ts';
import { NO_LOWAT, type Settings } from './sysctl.ts';
import type { Address, Outcome, PendingCall, ReceivedMessage } from './system-calls.ts';

const C = CONSTANTS as Readonly<Record<string, number>>;
/** What a socket needs of the machine around it. */
export interface SocketContext {
  readonly stack: Stack;
  readonly clock: Clock;
  readonly settings: Settings;
  /** A flow came into being: tcp_info is asked for by its ports. */
  onFlow(flow: Flow): void;
}

/** A TCP socket with Linux's manners above a flow or a listener of the stack. */
export class TcpSocket extends SocketFile {
  readonly protocol = C['IPPROTO_TCP']!;
  readonly options: SocketOptions;
  readonly #context: SocketContext;
  #local: { address: number; port: number } | undefined;
  #passive: AcceptQueue<TcpSocket> | undefined;
  #flow: Flow | undefined;
  #buffer: SendBuffer | undefined;
  /** connect() has been called and its result was not told yet. */
  #connecting = false;
  #connected = false;
  /** sk_err: told once. */
  #error = 0;
  #closed = false;
  #readShut = false;
  #writeShut = false;
  #peerEnded = false;
  /** A writer was refused: the next time there is room is an edge. */
  #wantsRoom = false;

  constructor(context: SocketContext, options = new SocketOptions(context.settings)) {
    super();
    this.#context = context;
    this.options = options;
  }

  get flow(): Flow | undefined {
    return this.#flow;
  }

  override get listening(): boolean {
    return this.#passive !== undefined;
  }

  get reuse(): { readonly address: boolean; readonly port: boolean } {
    return { address: this.options.reuseAddress !== 0, port: this.options.reusePort !== 0 };
  }

  #adopt(flow: Flow, connected: boolean): void {
    this.#flow = flow;
    this.#connected = connected;
    this.#closed = false;
    this.#context.onFlow(flow);
    const { options } = this;
    const { settings } = this.#context;
    const policy = {
      get sndBuf() {
        return options.sndBuf ?? settings.wmem[1];
      },
      get lowat() {
        return options.notsentLowat || settings.notsentLowat || NO_LOWAT;
      },
    };
    this.#buffer = new SendBuffer(flow, policy);
    flow.onConnect = () => {
      this.#connected = true;
      this.wakes++;
    };
    flow.onReadable = () => {
      this.wakes++;
    };
    flow.onEnd = () => {
      this.#peerEnded = true;
      this.wakes++;
    };
    flow.onClose = (error) => {
      this.#closed = true;
      this.wakes++;
      // Linux: a reset in CLOSE-WAIT is EPIPE.
      if (error) this.#error = error.code === 'ECONNRESET' && this.#peerEnded ? ERRNO['EPIPE']! : -error.errno;
    };
  }

  #takeError(): number {
    const error = this.#error;
    this.#error = 0;
    return error;
  }

  // --- Addresses -------------------------------------------------------------------------------------------------

  bind(address: Address): PendingCall {
    if (this.#local || this.#flow || this.#passive) return failed('EINVAL');
    this.#local = { address: address.address ?? 0, port: address.port };
    return done(0);
  }

  get localPort(): number {
    return this.#flow?.local.port ?? this.#passive?.port ?? this.#local?.port ?? 0;
  }

  get remotePort(): number {
    return this.#flow?.remote.port ?? 0;
  }

  get boundPort(): number {
    return this.#local?.port ?? 0;
  }

  // --- Passive open ----------------------------------------------------------------------------------------------

  override listen(backlog: number): PendingCall {
    if (this.#flow) return failed('EINVAL');
    if (this.#passive) return done(0);
    const { stack, settings } = this.#context;
    const local = this.#local ?? { address: 0, port: 0 };
    try {
      const listener = stack.listen({
        port: local.port,
        ...(local.address === 0 ? {} : { host: formatAddress(local.address) }),
        backlog: Math.min(backlog >>> 0, settings.somaxconn),
        tcp: this.options.tcpConfig(settings),
        onFlow: (flow) => this.#arrived(flow),
      });
      this.#passive = new AcceptQueue(listener);
    } catch (error) {
      return done(netFailure(error));
    }
    this.#local = { address: local.address, port: this.#passive.port };
    return done(0);
  }

  #arrived(flow: Flow): void {
    const child = new TcpSocket(this.#context, this.options.inherit(this.#context.settings));
    child.#adopt(flow, true);
    this.#passive?.push(child);
    this.wakes++;
  }

  override accept(install: (socket: SocketFile) => number): PendingCall {
    const attempt = (): Outcome | undefined => {
      if (!this.#passive) return failure('EINVAL');
      const child = this.#passive.shift();
      return child && success(install(child));
    };
    return waiting(attempt, this.nonBlocking);
  }

  /** A listener closes before anybody has accepted this. */
  abort(): void {
    this.#flow?.reset();
  }

  #stopListening(): void {
    this.#passive?.close();
    this.#passive = undefined;
  }

  // --- Active open -----------------------------------------------------------------------------------------------

  connect(address: Address): PendingCall {
    if (address.family === C['AF_UNSPEC']) return this.#disconnect();
    if (this.#passive) return failed('EISCONN');
    if (this.#flow && !this.#connecting) return failed('EISCONN');
    if (this.#connecting && this.nonBlocking && !this.#connected && !this.#closed) return failed('EALREADY');
    if (!this.#flow) {
      const outcome = this.#open(address);
      if (outcome) return done(outcome);
      if (this.nonBlocking) return failed('EINPROGRESS');
    }
    return waiting(() => this.#connectOutcome(), false);
  }

  #open(address: Address): Outcome | undefined {
    const { stack, settings } = this.#context;
    const local = this.#local;
    try {
      const flow = stack.connect({
        host: formatAddress(address.address ?? 0),
        port: address.port,
        ...(local && local.port > 0 ? { localPort: local.port } : {}),
        ...(local && local.address !== 0 ? { localAddress: formatAddress(local.address) } : {}),
        tcp: this.options.tcpConfig(settings),
      });
      this.#connecting = true;
      this.#adopt(flow, false);
      return undefined;
    } catch (error) {
      return netFailure(error);
    }
  }

  #connectOutcome(): Outcome | undefined {
    if (this.#connected) {
      this.#connecting = false;
      return success(0);
    }
    if (!this.#closed) return undefined;
    const error = this.#takeError() || ERRNO['ECONNABORTED']!;
    this.#forgetFlow();
    return failure(error);
  }

  #forgetFlow(): void {
    this.#flow = undefined;
    this.#buffer = undefined;
    this.#connecting = false;
    this.#connected = false;
    this.#closed = false;
    this.#peerEnded = false;
    this.#readShut = false;
    this.#writeShut = false;
  }

  #disconnect(): PendingCall {
    if (this.#flow && !this.#closed) this.#flow.reset();
    this.#forgetFlow();
    this.#error = 0;
    return done(0);
  }

  // --- Data ------------------------------------------------------------------------------------------------------

  sendTo(bytes: number, flags: number, to: Address | undefined): PendingCall {
    // TCP ignores the address; Linux does not even say EISCONN.
    if (to && flags & C['MSG_FASTOPEN']!) throw new UnsupportedError('TCP Fast Open is not supported');
    return this.write(bytes, flags);
  }

  override write(bytes: number, flags: number): PendingCall {
    if (flags & (C['MSG_FASTOPEN']! | C['MSG_OOB']!))
      throw new UnsupportedError('MSG_FASTOPEN and MSG_OOB are not supported');
    const more = (flags & C['MSG_MORE']!) !== 0;
    const endOfRecord = (flags & C['MSG_EOR']!) !== 0;
    const nonBlocking = this.nonBlocking || (flags & C['MSG_DONTWAIT']!) !== 0;
    let taken = 0;
    const attempt = (): Outcome | undefined => {
      const refused = this.#writeRefused();
      if (refused !== 0)
        return taken > 0 ? success(taken) : failure(refused === ERRNO['EPIPE'] ? refused : this.#takeError());
      const buffer = this.#buffer;
      if (!buffer || !this.#connected) return undefined;
      taken += buffer.write(bytes - taken, more, endOfRecord);
      if (taken === bytes) return success(taken);
      this.#wantsRoom = true;
      return nonBlocking && taken > 0 ? success(taken) : undefined;
    };
    return waiting(attempt, nonBlocking);
  }

  /** @returns the errno with which a write fails now, 0 when it may go on or wait. */
  #writeRefused(): number {
    if (this.#error !== 0) return this.#error === ERRNO['EPIPE'] ? this.#takeError() : this.#error;
    if (!this.#flow || this.#closed || this.#writeShut) return ERRNO['EPIPE']!;
    return 0;
  }

  override read(bytes: number, flags: number): PendingCall {
    if (flags & (C['MSG_OOB']! | C['MSG_ERRQUEUE']!))
      throw new UnsupportedError('MSG_OOB and MSG_ERRQUEUE are not supported');
    const waitAll = (flags & C['MSG_WAITALL']!) !== 0;
    const nonBlocking = this.nonBlocking || (flags & C['MSG_DONTWAIT']!) !== 0;
    let got = 0;
    const attempt = (): Outcome | undefined => {
      if (!this.#flow) return failure(this.#takeError() || 'ENOTCONN');
      got += readBytes(this.#flow, bytes - got, (flags & C['MSG_PEEK']!) !== 0);
      if (got > 0 && (got === bytes || !waitAll)) return this.#received(got);
      if (got > 0 && (this.#error !== 0 || this.#atEnd())) return this.#received(got);
      if (this.#error !== 0) return failure(this.#takeError());
      if (this.#atEnd() || bytes === 0) return this.#received(got);
      return nonBlocking && got > 0 ? this.#received(got) : undefined;
    };
    return waiting(attempt, nonBlocking);
  }

  #atEnd(): boolean {
    return this.#readShut || this.#closed || this.#flow?.ended === true;
  }

  #received(bytes: number): Outcome {
    const control: ReceivedMessage['control'] = this.options.inq
      ? [{ level: C['SOL_TCP']!, type: C['TCP_CM_INQ']!, data: this.#flow?.readable ?? 0 }]
      : [];
    return { value: bytes, errno: 0, message: { flags: 0, control } };
  }

  // --- The end ---------------------------------------------------------------------------------------------------

  shutdown(how: number): PendingCall {
    if (how < 0 || how > 2) return failed('EINVAL');
    if (this.#passive) {
      if (how !== C['SHUT_WR']) this.#stopListening();
      return done(0);
    }
    if (!this.#flow || this.#closed) return failed('ENOTCONN');
    if (how !== C['SHUT_WR']) this.#readShut = true;
    if (how !== C['SHUT_RD'] && !this.#writeShut) {
      this.#writeShut = true;
      this.#flow.shutdown();
    }
    this.wakes++;
    return done(0);
  }

  override release(): PendingCall {
    this.#stopListening();
    const flow = this.#flow;
    if (!flow || this.#closed) {
      flow?.close();
      return done(0);
    }
    const { linger } = this.options;
    if (linger.onoff !== 0 && linger.linger === 0) {
      flow.reset();
      return done(0);
    }
    flow.close();
    return linger.onoff === 0 ? done(0) : lingeringClose(flow, this.#context.clock, this.options.lingerUs);
  }

  // --- Options and readiness -------------------------------------------------------------------------------------

  setOption(level: number, name: number, value: number | string | { onoff: number; linger: number }): PendingCall {
    if (level === C['SOL_TCP'] && name === C['TCP_DEFER_ACCEPT'] && value === 0) return done(0);
    const isQuickAck = level === C['SOL_TCP'] && name === C['TCP_QUICKACK'];
    if (isQuickAck) throw new UnsupportedError('TCP_QUICKACK is not supported');
    const errno = this.options.set(level, name, value);
    if (errno !== 0) return failed(errno);
    const flow = this.#flow;
    if (!flow) return done(0);
    const config = this.options.liveConfig(this.#context.settings);
    // Linux sends what is held when TCP_NODELAY is set, corked or not.
    const flush = level === C['SOL_TCP'] && name === C['TCP_NODELAY'] && value !== 0 && this.options.cork !== 0;
    if (flush) flow.configure({ ...config, cork: false });
    flow.configure(config);
    return done(0);
  }

  getOption(level: number, name: number): PendingCall {
    const report = (option: number | string | { onoff: number; linger: number }): PendingCall =>
      done({ value: 0, errno: 0, option });
    if (level === C['SOL_SOCKET'] && name === C['SO_ERROR']) return report(this.#takeError());
    if (level === C['SOL_SOCKET'] && name === C['SO_ACCEPTCONN']) return report(this.#passive ? 1 : 0);
    if (level === C['SOL_TCP'] && name === C['TCP_MAXSEG']) {
      return report(this.#flow && this.#connected ? this.#flow.info().tcpi_snd_mss : this.options.maxSeg || 536);
    }
    return report(this.options.get(level, name, this.#context.settings));
  }

  /** SIOCINQ, SIOCOUTQ, SIOCOUTQNSD. */
  ioctl(request: number): PendingCall {
    if (this.#passive) return failed('EINVAL');
    const report = (option: number): PendingCall => done({ value: 0, errno: 0, option });
    if (request === C['SIOCINQ']) return report(this.#flow?.readable ?? 0);
    if (request === C['SIOCOUTQ']) return report(this.#buffer?.queued ?? 0);
    if (request === C['SIOCOUTQNSD']) return report(this.#buffer?.unsent ?? 0);
    throw new UnsupportedError(`ioctl 0x${request.toString(16)} is not supported`);
  }

  override pollMask(): number {
    if (this.#passive) return this.#passive.length > 0 ? POLL_READ : 0;
    const flow = this.#flow;
    const readEnd = this.#readShut || this.#peerEnded;
    const mask = connectionMask({
      error: this.#error !== 0,
      closed: !flow || this.#closed,
      fresh: !flow,
      connected: this.#connected,
      readEnd,
      writeEnd: this.#writeShut,
      readable: (flow?.readable ?? 0) > 0,
      writable: this.#buffer?.writable ?? false,
    });
    if (this.#connected && (mask & POLL_WRITE) === 0) this.#wantsRoom = true;
    return mask;
  }

  override refresh(): void {
    this.#passive?.refresh();
    if (this.#wantsRoom && this.#connected && this.#buffer?.writable) {
      this.#wantsRoom = false;
      this.wakes++;
    }
  }
}

function netFailure(error: unknown): Outcome {
  if (error instanceof NetError) return failure(-error.errno);
  throw error;
}
