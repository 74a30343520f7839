import type { Clock } from '@qanat/clock';
import { formatAddress } from '@qanat/ipv4';
import { type Flow, NetError, type Stack } from '@qanat/stack';
import { CONSTANTS, ERRNO } from '../constants.ts';
import { UnsupportedError } from '../errors.ts';
import { AcceptQueue } from './accept-queue.ts';
import { type CallManner, ConnectedFlow } from './connected-flow.ts';
import { FAST_OPEN_CLIENT, synDataRoom } from './fast-open.ts';
import { lingeringClose } from './flow-calls.ts';
import { done, failed, failure, success, waiting } from './open-file.ts';
import { FRESH_MASK, POLL_READ } from './poll-mask.ts';
import { SocketFile } from './socket-file.ts';
import { SocketOptions } from './socket-options.ts';
import { NO_LOWAT, type Settings } from './sysctl.ts';
import type { Address, OptionValue, Outcome, PendingCall } from './system-calls.ts';

const C = CONSTANTS as Readonly<Record<string, number>>;
/** What TCP_MAXSEG says before there is a connection (Linux: TCP_MSS_DEFAULT). */
const DEFAULT_MSS = 536;

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
  #link: ConnectedFlow | undefined;
  /** connect() has been called and its result was not told yet. */
  #connecting = false;
  /** TCP_FASTOPEN_CONNECT: where the first write shall connect to. */
  #deferred: Address | undefined;

  constructor(context: SocketContext, options = new SocketOptions(context.settings)) {
    super();
    this.#context = context;
    this.options = options;
  }

  override get listening(): boolean {
    return this.#passive !== undefined;
  }

  get reuse(): { readonly address: boolean; readonly port: boolean } {
    return { address: this.options.reuseAddress !== 0, port: this.options.reusePort !== 0 };
  }

  #adopt(flow: Flow, connected: boolean): void {
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
    this.#link = new ConnectedFlow(flow, connected, policy, () => {
      this.wakes++;
    });
    this.#context.onFlow(flow);
  }

  // --- Addresses -------------------------------------------------------------------------------------------------

  bind(address: Address): PendingCall {
    if (this.#local || this.#link || this.#passive) return failed('EINVAL');
    this.#local = { address: address.address ?? 0, port: address.port };
    return done(0);
  }

  get localPort(): number {
    return this.#link?.flow.local.port ?? this.#passive?.port ?? this.#local?.port ?? 0;
  }

  get remotePort(): number {
    return this.#link?.flow.remote.port ?? 0;
  }

  get boundPort(): number {
    return this.#local?.port ?? 0;
  }

  // --- Passive open ----------------------------------------------------------------------------------------------

  override listen(backlog: number): PendingCall {
    if (this.#link) return failed('EINVAL');
    if (this.#passive) return done(0);
    const { stack, settings } = this.#context;
    const local = this.#local ?? { address: 0, port: 0 };
    const bounded = Math.min(backlog >>> 0, settings.somaxconn);
    try {
      const listener = stack.listen({
        port: local.port,
        ...(local.address === 0 ? {} : { host: formatAddress(local.address) }),
        backlog: bounded,
        tcp: this.options.tcpConfig(settings, bounded),
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
    this.#link?.flow.reset();
  }

  #stopListening(): void {
    this.#passive?.close();
    this.#passive = undefined;
  }

  // --- Active open -----------------------------------------------------------------------------------------------

  connect(address: Address): PendingCall {
    if (address.family === C['AF_UNSPEC']) return this.#disconnect();
    const link = this.#link;
    if (this.#passive || (link && !this.#connecting)) return failed('EISCONN');
    if (link && this.nonBlocking && !link.connected && !link.closed) return failed('EALREADY');
    if (!link) {
      const defer = this.options.fastOpenConnect !== 0;
      if (defer && this.#synDataRoom(address) !== undefined) {
        this.#deferred = address;
        return done(0);
      }
      const outcome = this.#open(address, defer ? 0 : undefined);
      if (outcome) return done(outcome);
      if (this.nonBlocking) return failed('EINPROGRESS');
    }
    return waiting(() => this.#connectOutcome(), false);
  }

  /** @param early bytes that may ride on the SYN; undefined: no Fast Open. */
  #open(address: Address, early?: number): Outcome | undefined {
    const { stack, settings } = this.#context;
    const local = this.#local;
    try {
      const flow = stack.connect({
        host: formatAddress(address.address ?? 0),
        port: address.port,
        ...(local && local.port > 0 ? { localPort: local.port } : {}),
        ...(local && local.address !== 0 ? { localAddress: formatAddress(local.address) } : {}),
        tcp: this.options.tcpConfig(settings),
        ...(early === undefined ? {} : { fastOpenData: new Uint8Array(early) }),
      });
      this.#connecting = true;
      this.#adopt(flow, false);
      return undefined;
    } catch (error) {
      return netFailure(error);
    }
  }

  #synDataRoom(to: Address): number | undefined {
    const { stack, settings } = this.#context;
    return synDataRoom(stack, to.address ?? 0, this.options.fastOpenBits(settings));
  }

  #connectOutcome(): Outcome | undefined {
    const link = this.#link;
    if (link?.connected) {
      this.#connecting = false;
      return success(0);
    }
    if (link && !link.closed) return undefined;
    const error = link?.takeError() || ERRNO['ECONNABORTED']!;
    this.#forget();
    return failure(error);
  }

  #forget(): void {
    this.#link = undefined;
    this.#connecting = false;
  }

  #disconnect(): PendingCall {
    if (this.#link && !this.#link.closed) this.#link.flow.reset();
    this.#forget();
    return done(0);
  }

  /**
   * Connects and sends in one call (RFC 7413). Without a cookie only the connecting happens at first; a blocking call
   * sends when the handshake is complete, another says EINPROGRESS.
   */
  #fastOpen(to: Address, bytes: number, flags: number): PendingCall {
    if (!(this.#context.settings.fastOpen & FAST_OPEN_CLIENT)) return failed('EOPNOTSUPP');
    if (this.#link) return failed(this.#link.connected ? 'EISCONN' : 'EALREADY');
    const early = Math.min(bytes, this.#synDataRoom(to) ?? 0);
    const outcome = this.#open(to, early);
    if (outcome) return done(outcome);
    if (this.#manner(flags).nonBlocking) return early > 0 ? done(early) : failed('EINPROGRESS');
    const rest = early < bytes ? this.write(bytes - early, flags) : undefined;
    const attempt = (): Outcome | undefined => {
      const connected = this.#connectOutcome();
      if (!connected || connected.value < 0) return connected;
      if (!rest) return success(early);
      const sent = rest.attempt();
      return sent && (sent.value < 0 ? sent : success(early + sent.value));
    };
    return waiting(attempt, false);
  }

  // --- Data ------------------------------------------------------------------------------------------------------

  #manner(flags: number): CallManner {
    return { flags, nonBlocking: this.nonBlocking || (flags & C['MSG_DONTWAIT']!) !== 0 };
  }

  sendTo(bytes: number, flags: number, to: Address | undefined): PendingCall {
    if (to && flags & C['MSG_FASTOPEN']!) return this.#fastOpen(to, bytes, flags & ~C['MSG_FASTOPEN']!);
    // TCP ignores the address otherwise; Linux does not even say EISCONN.
    return this.write(bytes, flags);
  }

  override write(bytes: number, flags: number): PendingCall {
    if (flags & C['MSG_OOB']!) throw new UnsupportedError('MSG_OOB is not supported');
    const to = this.#deferred;
    if (to) {
      this.#deferred = undefined;
      return this.#fastOpen(to, bytes, flags);
    }
    if (flags & C['MSG_FASTOPEN']!) return failed('EINVAL');
    return this.#link?.write(bytes, this.#manner(flags)) ?? failed('EPIPE');
  }

  override read(bytes: number, flags: number): PendingCall {
    return this.#link?.read(bytes, this.#manner(flags), this.options.inq !== 0) ?? failed('ENOTCONN');
  }

  // --- The end ---------------------------------------------------------------------------------------------------

  shutdown(how: number): PendingCall {
    if (how < 0 || how > 2) return failed('EINVAL');
    if (!this.#passive) return this.#link?.shutdown(how) ?? failed('ENOTCONN');
    if (how !== C['SHUT_WR']) this.#stopListening();
    return done(0);
  }

  override release(): PendingCall {
    this.#stopListening();
    const link = this.#link;
    if (!link) return done(0);
    const { linger, lingerUs } = this.options;
    if (linger.onoff !== 0 && linger.linger === 0 && !link.closed) {
      link.flow.reset();
      return done(0);
    }
    link.flow.close();
    return linger.onoff === 0 || link.closed ? done(0) : lingeringClose(link.flow, this.#context.clock, lingerUs);
  }

  // --- Options and readiness -------------------------------------------------------------------------------------

  setOption(level: number, name: number, value: OptionValue): PendingCall {
    const isTcp = level === C['SOL_TCP'];
    const errno = this.options.set(level, name, value);
    if (errno !== 0) return failed(errno);
    const flow = this.#link?.flow;
    if (!flow) return done(0);
    const config = this.options.liveConfig(this.#context.settings);
    // Linux sends what is held when TCP_NODELAY is set, corked or not.
    const flush = isTcp && name === C['TCP_NODELAY'] && value !== 0 && this.options.cork !== 0;
    if (flush) flow.configure({ ...config, cork: false });
    flow.configure(config);
    return done(0);
  }

  getOption(level: number, name: number): PendingCall {
    const report = (option: OptionValue): PendingCall => done({ value: 0, errno: 0, option });
    if (level === C['SOL_SOCKET'] && name === C['SO_ERROR']) return report(this.#link?.takeError() ?? 0);
    if (level === C['SOL_SOCKET'] && name === C['SO_ACCEPTCONN']) return report(this.#passive ? 1 : 0);
    if (level === C['SOL_TCP'] && name === C['TCP_MAXSEG']) {
      const mss = this.#link?.connected ? this.#link.flow.info().tcpi_snd_mss : this.options.maxSeg || DEFAULT_MSS;
      return report(mss);
    }
    return report(this.options.get(level, name, this.#context.settings));
  }

  /** SIOCINQ, SIOCOUTQ, SIOCOUTQNSD. */
  ioctl(request: number): PendingCall {
    if (this.#passive) return failed('EINVAL');
    const report = (option: number): PendingCall => done({ value: 0, errno: 0, option });
    if (request === C['SIOCINQ']) return report(this.#link?.flow.readable ?? 0);
    if (request === C['SIOCOUTQ']) return report(this.#link?.buffer.queued ?? 0);
    if (request === C['SIOCOUTQNSD']) return report(this.#link?.buffer.unsent ?? 0);
    throw new UnsupportedError(`ioctl 0x${request.toString(16)} is not supported`);
  }

  override pollMask(): number {
    if (this.#passive) return this.#passive.length > 0 ? POLL_READ : 0;
    return this.#link?.pollMask() ?? FRESH_MASK;
  }

  override refresh(): void {
    this.#passive?.refresh();
    this.#link?.refresh();
  }
}

function netFailure(error: unknown): Outcome {
  if (error instanceof NetError) return failure(-error.errno);
  throw error;
}
