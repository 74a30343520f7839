/** What a system call came to. */
export interface Outcome {
  /** The return value; -1 with `errno`. */
  readonly value: number;
  readonly errno: number;
  /** What getsockopt, ioctl and F_GETFL-like calls report besides. */
  readonly option?: OptionValue;
  /** revents of each entry, in order. */
  readonly revents?: readonly number[];
  readonly epoll?: readonly EpollEvent[];
  readonly message?: ReceivedMessage;
}

export type OptionValue = number | string | { readonly onoff: number; readonly linger: number };

export interface EpollEvent {
  readonly events: number;
  /** What the caller stored with the descriptor. */
  readonly data: number;
}

export interface ReceivedMessage {
  readonly flags: number;
  readonly control: readonly { readonly level: number; readonly type: number; readonly data: number }[];
}

/** A call that has been made and may have to wait: ask `attempt` whenever something happened. */
export interface PendingCall {
  /** @returns undefined while the call blocks. */
  attempt(): Outcome | undefined;
  /** When the call gives up waiting by itself (a poll's timeout), or NEVER. */
  readonly deadlineUs: number;
}

export interface Address {
  readonly family: number;
  /** Host order, int32; undefined: chosen by the callee (0.0.0.0). */
  readonly address: number | undefined;
  readonly port: number;
}

export interface PollEntry {
  readonly fd: number;
  readonly events: number;
}

/** The socket calls of a machine, with its own descriptors; no call throws for what a program can do wrong. */
export interface SystemCalls {
  /** @throws UnsupportedError for families and types that the machine does not have; so do the option calls. */
  socket(family: number, type: number, protocol: number): PendingCall;
  bind(fd: number, address: Address): PendingCall;
  listen(fd: number, backlog: number): PendingCall;
  /** @param flags SOCK_NONBLOCK of accept4. */
  accept(fd: number, flags: number): PendingCall;
  connect(fd: number, address: Address): PendingCall;
  read(fd: number, bytes: number, flags: number): PendingCall;
  write(fd: number, bytes: number, flags: number): PendingCall;
  /** write with an address: UDP, and TCP's MSG_FASTOPEN. */
  sendTo(fd: number, bytes: number, flags: number, to: Address | undefined): PendingCall;
  sendfile(out: number, input: number, bytes: number): PendingCall;
  open(path: string, flags: number): PendingCall;
  close(fd: number): PendingCall;
  shutdown(fd: number, how: number): PendingCall;
  fcntl(fd: number, command: number, argument: number): PendingCall;
  ioctl(fd: number, request: number, argument: number): PendingCall;
  getsockopt(fd: number, level: number, name: number): PendingCall;
  setsockopt(fd: number, level: number, name: number, value: OptionValue): PendingCall;
  poll(entries: readonly PollEntry[], timeoutMs: number): PendingCall;
  epollCreate(): PendingCall;
  epollCtl(epoll: number, operation: number, fd: number, event: EpollEvent): PendingCall;
  epollWait(epoll: number, most: number, timeoutMs: number): PendingCall;
  /** The remote port of a connected descriptor: tells which connection an accept returned. 0 when there is none. */
  remotePort(fd: number): number;
  /** The local port of a descriptor, 0 when it has none yet. */
  localPort(fd: number): number;
  /** Something may have happened: readiness is looked at anew. The runner calls it after every step. */
  refresh(): void;
}
