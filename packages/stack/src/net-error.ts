/** Node's error codes that the stack reports, with Linux's errno (negative in Node's `errno`). */
const ERRNO = {
  EBADF: 9,
  EACCES: 13,
  EINVAL: 22,
  EMFILE: 24,
  EPIPE: 32,
  EDESTADDRREQ: 89,
  EPROTO: 71,
  ENOPROTOOPT: 92,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  ENONET: 64,
  EOPNOTSUPP: 95,
  EMSGSIZE: 90,
} as const;

export type NetErrorCode = keyof typeof ERRNO;

const WORDS: Record<NetErrorCode, string> = {
  EBADF: 'the socket is closed',
  EACCES: 'broadcasts are not allowed',
  EMFILE: 'too many sockets',
  EDESTADDRREQ: 'a destination is needed',
  EHOSTDOWN: 'the host is down',
  ENONET: 'the host is not on the network',
  EOPNOTSUPP: 'not supported',
  EPIPE: 'the sending side is closed',
  EINVAL: 'invalid argument',
  EPROTO: 'protocol error',
  ENOPROTOOPT: 'protocol not available',
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'no local address or port available',
  ENETUNREACH: 'no route to the network',
  ECONNABORTED: 'the stack was closed',
  ECONNRESET: 'connection reset by the peer',
  ENOBUFS: 'no memory for buffers',
  EISCONN: 'already connected',
  ENOTCONN: 'not connected',
  ETIMEDOUT: 'the peer did not answer in time',
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to the host',
  EMSGSIZE: 'message too long',
};

/** Every error of the network, in the shape of Node's system errors. */
export class NetError extends Error {
  override readonly name = 'NetError';
  readonly code: NetErrorCode;
  /** Linux's errno, negative as in Node. */
  readonly errno: number;
  readonly syscall: string;
  readonly address?: string;
  readonly port?: number;

  /**
   * @param code as in Node. @param syscall what was tried: connect, listen, read, write, send.
   * @param address @param port of the other end (connect) or ours (listen).
   */
  constructor(code: NetErrorCode, syscall: string, address?: string, port?: number, detail?: string) {
    const where = address === undefined ? '' : ` ${address}${port === undefined ? '' : `:${port}`}`;
    super(`${syscall} ${code}${where}: ${detail ?? WORDS[code]}`);
    this.code = code;
    this.errno = -ERRNO[code];
    this.syscall = syscall;
    if (address !== undefined) this.address = address;
    if (port !== undefined) this.port = port;
  }
}

export function isNetErrorCode(code: string): code is NetErrorCode {
  return code in ERRNO;
}

/** Runs a parser at the edge; what it finds wrong becomes a NetError EINVAL. */
export function edge<T>(syscall: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new NetError('EINVAL', syscall, undefined, undefined, error instanceof Error ? error.message : String(error));
  }
}
