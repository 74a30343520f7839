/** Why a call of a socket's owner failed, in errno's words. */
export type UdpErrno =
  | 'EADDRINUSE'
  | 'EADDRNOTAVAIL'
  | 'EINVAL'
  | 'EMFILE'
  | 'EMSGSIZE'
  | 'EDESTADDRREQ'
  | 'EACCES'
  | 'EBADF'
  | 'ENOBUFS'
  | 'EHOSTUNREACH'
  | 'ENETUNREACH';

/** Thrown by calls that set a socket up. Sending never throws. */
export class UdpError extends Error {
  readonly code: UdpErrno;
  readonly syscall: string;

  constructor(code: UdpErrno, syscall: string, message: string) {
    super(`${syscall} ${code}: ${message}`);
    this.name = 'UdpError';
    this.code = code;
    this.syscall = syscall;
  }
}
