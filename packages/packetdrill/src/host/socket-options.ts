import type { TcpConfig } from '@qanat/tcp';
import { CONSTANTS } from '../constants.ts';
import { UnsupportedError } from '../errors.ts';
import {
  FAST_OPEN_CLIENT,
  FAST_OPEN_CLIENT_NO_COOKIE,
  FAST_OPEN_SERVER,
  FAST_OPEN_SERVER_NO_COOKIE,
  FAST_OPEN_WITHOUT_OPTION,
} from './fast-open.ts';
import { congestionName, type Settings } from './sysctl.ts';
import type { OptionValue } from './system-calls.ts';

const C = CONSTANTS;
/** Linux: SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF. */
const MIN_SNDBUF = 4608;
const MIN_RCVBUF = 2304;
const MAX_LINGER_SECONDS = 60;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What a TCP socket was told by setsockopt; a listener's children inherit a copy. */
export class SocketOptions {
  reuseAddress = 0;
  reusePort = 0;
  keepAlive = 0;
  broadcast = 0;
  linger: { readonly onoff: number; readonly linger: number } = { onoff: 0, linger: 0 };
  /** Doubled already, as getsockopt shows them; undefined: automatic. */
  sndBuf: number | undefined;
  rcvBuf: number | undefined;
  noDelay = 0;
  cork = 0;
  /** 0: none given. */
  maxSeg = 0;
  keepIdleSeconds: number | undefined;
  keepIntervalSeconds: number | undefined;
  keepCount: number | undefined;
  synCount: number | undefined;
  linger2: number | undefined;
  userTimeoutMs = 0;
  notsentLowat: number | undefined;
  inq = 0;
  tos = 0;
  zeroCopy = 0;
  /** TCP_FASTOPEN of a listener: connections that may have come by Fast Open and not be established. */
  fastOpenQueue = 0;
  /** TCP_FASTOPEN_CONNECT: connect() waits for the first write when a cookie is known. */
  fastOpenConnect = 0;
  /** TCP_FASTOPEN_NO_COOKIE: data rides on SYNs without a cookie, whatever the sysctl says. */
  fastOpenNoCookie = 0;
  /** IP_PMTUDISC_*. */
  mtuDiscover = C['IP_PMTUDISC_WANT']!;
  /** TCP_DEFER_ACCEPT, as the number of SYN-ACK timeouts that it comes to. */
  deferAccept = 0;
  congestion: string;

  constructor(settings: Settings) {
    this.congestion = settings.congestion;
  }

  /** A copy, for a connection that a listener accepts. */
  inherit(settings: Settings): SocketOptions {
    return Object.assign(new SocketOptions(settings), this);
  }

  /**
   * Tunables for a connection or listener with these options on a machine with those sysctls.
   * @param backlog of listen(): with FAST_OPEN_WITHOUT_OPTION the limit of Fast Open too.
   */
  tcpConfig(settings: Settings, backlog = 0): Partial<TcpConfig> {
    const queue = this.fastOpenQueue || (settings.fastOpen & FAST_OPEN_WITHOUT_OPTION ? backlog : 0);
    const config: Mutable<Partial<TcpConfig>> = { ...settings.tcp, ...this.#liveConfig() };
    if (this.rcvBuf !== undefined) config.rcvBuf = this.rcvBuf;
    if (this.maxSeg > 0) config.mss = this.maxSeg;
    config.fastOpenClient = (settings.fastOpen & FAST_OPEN_CLIENT) !== 0;
    config.fastOpenServer = (settings.fastOpen & FAST_OPEN_SERVER) !== 0 && queue > 0;
    const bits = this.fastOpenBits(settings);
    config.fastOpenClientNoCookie = (bits & FAST_OPEN_CLIENT_NO_COOKIE) !== 0;
    config.fastOpenServerNoCookie = (bits & FAST_OPEN_SERVER_NO_COOKIE) !== 0;
    if (queue > 0) config.fastOpenBacklog = queue;
    if (this.synCount !== undefined) config.synRetries = this.synCount;
    config.deferAccept = this.deferAccept;
    return config;
  }

  /** FAST_OPEN_* bits that hold for this socket. */
  fastOpenBits(settings: Settings): number {
    const own = this.fastOpenNoCookie === 0 ? 0 : FAST_OPEN_CLIENT_NO_COOKIE | FAST_OPEN_SERVER_NO_COOKIE;
    return settings.fastOpen | own;
  }

  /** The part that holds for connections that exist already. */
  liveConfig(settings: Settings): Partial<TcpConfig> {
    return { ...settings.live, ...this.#liveConfig() };
  }

  #liveConfig(): Partial<TcpConfig> {
    const config: Mutable<Partial<TcpConfig>> = {
      noDelay: this.noDelay !== 0,
      cork: this.cork !== 0,
      keepAlive: this.keepAlive !== 0,
      userTimeoutUs: this.userTimeoutMs * 1000,
      congestion: congestionName(this.congestion),
      tos: this.tos,
      pathMtuDiscovery: this.mtuDiscover === C['IP_PMTUDISC_WANT'] || this.mtuDiscover === C['IP_PMTUDISC_DO'],
    };
    if (this.keepIdleSeconds !== undefined) config.keepAliveIdleUs = this.keepIdleSeconds * 1e6;
    if (this.keepIntervalSeconds !== undefined) config.keepAliveIntervalUs = this.keepIntervalSeconds * 1e6;
    if (this.keepCount !== undefined) config.keepAliveProbes = this.keepCount;
    if (this.linger2 !== undefined && this.linger2 > 0) config.finTimeoutUs = this.linger2 * 1e6;
    return config;
  }

  /** @returns an errno, 0 when it was taken. @throws UnsupportedError for an option that is not known. */
  set(level: number, name: number, value: OptionValue): number {
    if (level === C['SOL_SOCKET']) return this.#setSocket(name, value);
    if (level === C['SOL_TCP']) return this.#setTcp(name, value);
    if (level === C['SOL_IP'] && typeof value === 'number') return this.#setIp(name, value);
    throw unsupported('setsockopt', level, name);
  }

  #setIp(name: number, value: number): number {
    switch (name) {
      case C['IP_TOS']:
        this.tos = value & 0xff;
        return 0;
      case C['IP_MTU_DISCOVER']:
        if (value < C['IP_PMTUDISC_DONT']! || value > C['IP_PMTUDISC_OMIT']!) return C['EINVAL']!;
        this.mtuDiscover = value;
        return 0;
      default:
        throw unsupported('setsockopt', C['SOL_IP']!, name);
    }
  }

  #setSocket(name: number, value: OptionValue): number {
    const number = typeof value === 'number' ? value : 0;
    switch (name) {
      case C['SO_REUSEADDR']:
        this.reuseAddress = number === 0 ? 0 : 1;
        return 0;
      case C['SO_REUSEPORT']:
        this.reusePort = number === 0 ? 0 : 1;
        return 0;
      case C['SO_KEEPALIVE']:
        this.keepAlive = number === 0 ? 0 : 1;
        return 0;
      case C['SO_BROADCAST']:
        this.broadcast = number === 0 ? 0 : 1;
        return 0;
      case C['SO_ZEROCOPY']:
        if (number < 0 || number > 1) return C['EINVAL']!;
        this.zeroCopy = number;
        return 0;
      case C['SO_LINGER']:
        if (typeof value !== 'object') return C['EINVAL']!;
        this.linger = { onoff: value.onoff === 0 ? 0 : 1, linger: value.linger };
        return 0;
      case C['SO_SNDBUF']:
      case C['SO_SNDBUFFORCE']:
        this.sndBuf = Math.max(number * 2, MIN_SNDBUF);
        return 0;
      case C['SO_RCVBUF']:
      case C['SO_RCVBUFFORCE']:
        this.rcvBuf = Math.max(number * 2, MIN_RCVBUF);
        return 0;
      case C['SO_PRIORITY']:
      case C['SO_MARK']:
      case C['SO_DEBUG']:
      case C['SO_BUSY_POLL']:
        return 0;
      default:
        throw unsupported('setsockopt', C['SOL_SOCKET']!, name);
    }
  }

  #setTcp(name: number, value: OptionValue): number {
    if (name === C['TCP_CONGESTION']) {
      if (typeof value !== 'string') return C['EINVAL']!;
      congestionName(value);
      this.congestion = value;
      return 0;
    }
    if (typeof value !== 'number') return C['EINVAL']!;
    const invalid = (low: number, high: number): boolean => value < low || value > high;
    switch (name) {
      case C['TCP_NODELAY']:
        this.noDelay = value === 0 ? 0 : 1;
        return 0;
      case C['TCP_CORK']:
        this.cork = value === 0 ? 0 : 1;
        return 0;
      case C['TCP_MAXSEG']:
        if (value !== 0 && invalid(88, 32767)) return C['EINVAL']!;
        this.maxSeg = value;
        return 0;
      case C['TCP_KEEPIDLE']:
        if (invalid(1, 32767)) return C['EINVAL']!;
        this.keepIdleSeconds = value;
        return 0;
      case C['TCP_KEEPINTVL']:
        if (invalid(1, 32767)) return C['EINVAL']!;
        this.keepIntervalSeconds = value;
        return 0;
      case C['TCP_KEEPCNT']:
        if (invalid(1, 127)) return C['EINVAL']!;
        this.keepCount = value;
        return 0;
      case C['TCP_SYNCNT']:
        if (invalid(1, 127)) return C['EINVAL']!;
        this.synCount = value;
        return 0;
      case C['TCP_LINGER2']:
        this.linger2 = value;
        return 0;
      case C['TCP_USER_TIMEOUT']:
        if (value < 0) return C['EINVAL']!;
        this.userTimeoutMs = value;
        return 0;
      case C['TCP_NOTSENT_LOWAT']:
        this.notsentLowat = value >>> 0;
        return 0;
      case C['TCP_FASTOPEN']:
        if (value < 0) return C['EINVAL']!;
        this.fastOpenQueue = value;
        return 0;
      case C['TCP_FASTOPEN_CONNECT']:
        if (invalid(0, 1)) return C['EINVAL']!;
        this.fastOpenConnect = value;
        return 0;
      case C['TCP_FASTOPEN_NO_COOKIE']:
        if (invalid(0, 1)) return C['EINVAL']!;
        this.fastOpenNoCookie = value;
        return 0;
      case C['TCP_DEFER_ACCEPT']:
        this.deferAccept = timeoutsIn(value);
        return 0;
      case C['TCP_INQ']:
        if (invalid(0, 1)) return C['EINVAL']!;
        this.inq = value;
        return 0;
      default:
        throw unsupported('setsockopt', C['SOL_TCP']!, name);
    }
  }

  /** @throws UnsupportedError for an option that is not known. */
  get(level: number, name: number, settings: Settings): OptionValue {
    const value = this.#get(level, name, settings);
    if (value === undefined) throw unsupported('getsockopt', level, name);
    return value;
  }

  #get(level: number, name: number, settings: Settings): OptionValue | undefined {
    if (level === C['SOL_SOCKET']) {
      return new Map<number, OptionValue>([
        [C['SO_REUSEADDR']!, this.reuseAddress],
        [C['SO_REUSEPORT']!, this.reusePort],
        [C['SO_KEEPALIVE']!, this.keepAlive],
        [C['SO_BROADCAST']!, this.broadcast],
        [C['SO_ZEROCOPY']!, this.zeroCopy],
        [C['SO_LINGER']!, this.linger],
        [C['SO_SNDBUF']!, this.sndBuf ?? settings.wmem[1]],
        [C['SO_RCVBUF']!, this.rcvBuf ?? settings.rmem[1]],
        [C['SO_TYPE']!, C['SOCK_STREAM']!],
        [C['SO_PROTOCOL']!, C['IPPROTO_TCP']!],
        [C['SO_DOMAIN']!, C['AF_INET']!],
      ]).get(name);
    }
    if (level === C['SOL_IP']) {
      if (name === C['IP_MTU_DISCOVER']) return this.mtuDiscover;
      return name === C['IP_TOS'] ? this.tos : undefined;
    }
    if (level !== C['SOL_TCP']) return undefined;
    return new Map<number, OptionValue>([
      [C['TCP_NODELAY']!, this.noDelay],
      [C['TCP_CORK']!, this.cork],
      [C['TCP_CONGESTION']!, this.congestion],
      [C['TCP_KEEPIDLE']!, this.keepIdleSeconds ?? settings.keepAliveSeconds],
      [C['TCP_KEEPINTVL']!, this.keepIntervalSeconds ?? settings.keepAliveIntervalSeconds],
      [C['TCP_KEEPCNT']!, this.keepCount ?? settings.keepAliveProbes],
      [C['TCP_SYNCNT']!, this.synCount ?? settings.synRetries],
      [C['TCP_LINGER2']!, this.linger2 ?? settings.finTimeoutSeconds],
      [C['TCP_USER_TIMEOUT']!, this.userTimeoutMs],
      [C['TCP_NOTSENT_LOWAT']!, (this.notsentLowat ?? 0) | 0],
      [C['TCP_INQ']!, this.inq],
      [C['TCP_DEFER_ACCEPT']!, secondsOf(this.deferAccept)],
      [C['TCP_FASTOPEN']!, this.fastOpenQueue],
      [C['TCP_FASTOPEN_CONNECT']!, this.fastOpenConnect],
      [C['TCP_FASTOPEN_NO_COOKIE']!, this.fastOpenNoCookie],
    ]).get(name);
  }

  get lingerUs(): number {
    return Math.min(this.linger.linger, MAX_LINGER_SECONDS) * 1e6;
  }
}

/** Timeouts of a SYN-ACK (1 s, then doubling, 120 s at most) until `seconds` are over: how Linux counts TCP_DEFER_ACCEPT. */
function timeoutsIn(seconds: number): number {
  let count = 0;
  for (let timeout = 1, until = 0; until < seconds && count < 255; timeout = Math.min(timeout * 2, 120)) {
    until += timeout;
    count++;
  }
  return count;
}

function secondsOf(timeouts: number): number {
  let seconds = 0;
  for (let i = 0, timeout = 1; i < timeouts; i++, timeout = Math.min(timeout * 2, 120)) seconds += timeout;
  return seconds;
}

export function unsupported(call: string, level: number, name: number): UnsupportedError {
  return new UnsupportedError(`${call} of ${optionName(level, name)} is not supported`);
}

function optionName(level: number, name: number): string {
  const prefix = level === C['SOL_SOCKET'] ? 'SO_' : level === C['SOL_TCP'] ? 'TCP_' : level === 0 ? 'IP_' : '';
  const found = Object.entries(C).find(([word, value]) => prefix !== '' && word.startsWith(prefix) && value === name);
  return found ? found[0] : `option ${name} of level ${level}`;
}
