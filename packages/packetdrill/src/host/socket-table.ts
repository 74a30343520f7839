import { NEVER } from '@qanat/clock';
import { CONSTANTS } from '../constants.ts';
import { UnsupportedError } from '../errors.ts';
import { EpollFile } from './epoll.ts';
import { done, failed, OpenFile } from './open-file.ts';
import { SocketFile } from './socket-file.ts';
import type { Address, EpollEvent, OptionValue, Outcome, PendingCall, PollEntry, SystemCalls } from './system-calls.ts';
import { type SocketContext, TcpSocket } from './tcp-socket.ts';
import { UdpSocket } from './udp-socket.ts';

const C = CONSTANTS as Readonly<Record<string, number>>;
/** Descriptors 0 to 2 belong to the shell of whoever wrote the script. */
const FIRST_FD = 3;
const TYPE_MASK = 0xf;

/** A file that `dd` made: zeros to be sent. */
class ZeroFile extends OpenFile {
  left: number;

  constructor(bytes: number) {
    super();
    this.left = bytes;
  }

  override pollMask(): number {
    return C['POLLIN']! | C['POLLOUT']!;
  }

  override read(bytes: number): PendingCall {
    const taken = Math.min(bytes, this.left);
    this.left -= taken;
    return done(taken);
  }
}

/** The descriptors of the one process that a script is, and its system calls. */
export class SocketTable implements SystemCalls {
  readonly #context: SocketContext;
  readonly #files: (OpenFile | undefined)[] = [];
  readonly #paths = new Map<string, number>();

  constructor(context: SocketContext) {
    this.#context = context;
  }

  /** A file of zeros appears at a path. */
  addFile(path: string, bytes: number): void {
    this.#paths.set(path, bytes);
  }

  #install(file: OpenFile): number {
    let fd = FIRST_FD;
    while (this.#files[fd]) fd++;
    this.#files[fd] = file;
    file.references++;
    return fd;
  }

  #socket(fd: number): SocketFile | undefined {
    const file = this.#files[fd];
    return file instanceof SocketFile ? file : undefined;
  }

  #on(fd: number, use: (socket: SocketFile) => PendingCall): PendingCall {
    const file = this.#files[fd];
    if (!file) return failed('EBADF');
    return file instanceof SocketFile ? use(file) : failed('ENOTSOCK');
  }

  socket(family: number, type: number, protocol: number): PendingCall {
    if (family !== C['AF_INET'] && family !== C['AF_INET6']) return failed('EAFNOSUPPORT');
    const kind = type & TYPE_MASK;
    const isTcp = kind === C['SOCK_STREAM'] && (protocol === 0 || protocol === C['IPPROTO_TCP']);
    const isUdp = kind === C['SOCK_DGRAM'] && (protocol === 0 || protocol === C['IPPROTO_UDP']);
    if (!isTcp && !isUdp) throw new UnsupportedError(`sockets of type ${kind}, protocol ${protocol} are not supported`);
    const socket = isTcp ? new TcpSocket(this.#context) : new UdpSocket(this.#context.stack);
    socket.nonBlocking = (type & C['SOCK_NONBLOCK']!) !== 0;
    return done(this.#install(socket));
  }

  bind(fd: number, address: Address): PendingCall {
    return this.#on(fd, (socket) => {
      const { port } = address;
      const clash = this.#files.some(
        (other) =>
          other instanceof SocketFile &&
          other !== socket &&
          other.protocol === socket.protocol &&
          port !== 0 &&
          other.boundPort === port &&
          (other.listening || !other.reuse.address || !socket.reuse.address) &&
          !(other.reuse.port && socket.reuse.port),
      );
      return clash ? failed('EADDRINUSE') : socket.bind(address);
    });
  }

  listen(fd: number, backlog: number): PendingCall {
    return this.#on(fd, (socket) => socket.listen(backlog));
  }

  accept(fd: number, flags: number): PendingCall {
    return this.#on(fd, (socket) =>
      socket.accept((child) => {
        child.nonBlocking = (flags & C['SOCK_NONBLOCK']!) !== 0;
        return this.#install(child);
      }),
    );
  }

  connect(fd: number, address: Address): PendingCall {
    return this.#on(fd, (socket) => socket.connect(address));
  }

  read(fd: number, bytes: number, flags: number): PendingCall {
    return this.#files[fd]?.read(bytes, flags) ?? failed('EBADF');
  }

  write(fd: number, bytes: number, flags: number): PendingCall {
    return this.#files[fd]?.write(bytes, flags) ?? failed('EBADF');
  }

  sendTo(fd: number, bytes: number, flags: number, to: Address | undefined): PendingCall {
    return this.#on(fd, (socket) => socket.sendTo(bytes, flags, to));
  }

  sendfile(out: number, input: number, bytes: number): PendingCall {
    const file = this.#files[input];
    if (!(file instanceof ZeroFile)) return failed(file ? 'EINVAL' : 'EBADF');
    const wanted = Math.min(bytes, file.left);
    const call = this.write(out, wanted, 0);
    const attempt = (): Outcome | undefined => {
      const outcome = call.attempt();
      if (outcome && outcome.value > 0) file.left -= outcome.value;
      return outcome;
    };
    return { attempt, deadlineUs: call.deadlineUs };
  }

  open(path: string, _flags: number): PendingCall {
    const bytes = this.#paths.get(path);
    return bytes === undefined ? failed('ENOENT') : done(this.#install(new ZeroFile(bytes)));
  }

  close(fd: number): PendingCall {
    const file = this.#files[fd];
    if (!file) return failed('EBADF');
    this.#files[fd] = undefined;
    for (const other of this.#files) if (other instanceof EpollFile) other.forget(fd);
    if (--file.references > 0) return done(0);
    return file.release();
  }

  shutdown(fd: number, how: number): PendingCall {
    return this.#on(fd, (socket) => socket.shutdown(how));
  }

  fcntl(fd: number, command: number, argument: number): PendingCall {
    const file = this.#files[fd];
    if (!file) return failed('EBADF');
    switch (command) {
      case C['F_GETFL']:
        return done(C['O_RDWR']! | (file.nonBlocking ? C['O_NONBLOCK']! : 0));
      case C['F_SETFL']:
        file.nonBlocking = (argument & C['O_NONBLOCK']!) !== 0;
        return done(0);
      case C['F_GETFD']:
      case C['F_SETFD']:
        return done(0);
      case C['F_DUPFD']:
        return done(this.#install(file));
      default:
        throw new UnsupportedError(`fcntl command ${command} is not supported`);
    }
  }

  ioctl(fd: number, request: number, argument: number): PendingCall {
    const file = this.#files[fd];
    if (file && request === C['FIONBIO']) {
      file.nonBlocking = argument !== 0;
      return done(0);
    }
    return this.#on(fd, (socket) => socket.ioctl(request));
  }

  getsockopt(fd: number, level: number, name: number): PendingCall {
    return this.#on(fd, (socket) => socket.getOption(level, name));
  }

  setsockopt(fd: number, level: number, name: number, value: OptionValue): PendingCall {
    return this.#on(fd, (socket) => socket.setOption(level, name, value));
  }

  poll(entries: readonly PollEntry[], timeoutMs: number): PendingCall {
    const deadlineUs = timeoutMs < 0 ? NEVER : this.#context.clock.now() + timeoutMs * 1000;
    const always = C['POLLERR']! | C['POLLHUP']!;
    const attempt = (): Outcome | undefined => {
      const revents = entries.map(({ fd, events }) => {
        if (fd < 0) return 0;
        const file = this.#files[fd];
        return file ? file.pollMask() & (events | always) : C['POLLNVAL']!;
      });
      const ready = revents.filter((mask) => mask !== 0).length;
      if (ready > 0 || this.#context.clock.now() >= deadlineUs) return { value: ready, errno: 0, revents };
      return undefined;
    };
    return { attempt, deadlineUs };
  }

  epollCreate(): PendingCall {
    return done(this.#install(new EpollFile(this.#context.clock)));
  }

  epollCtl(epoll: number, operation: number, fd: number, event: EpollEvent): PendingCall {
    const file = this.#files[epoll];
    if (!(file instanceof EpollFile)) return failed(file ? 'EINVAL' : 'EBADF');
    return file.control(operation, fd, this.#files[fd], event);
  }

  epollWait(epoll: number, most: number, timeoutMs: number): PendingCall {
    const file = this.#files[epoll];
    if (!(file instanceof EpollFile)) return failed(file ? 'EINVAL' : 'EBADF');
    return file.wait(most, timeoutMs);
  }

  remotePort(fd: number): number {
    return this.#socket(fd)?.remotePort ?? 0;
  }

  localPort(fd: number): number {
    return this.#socket(fd)?.localPort ?? 0;
  }

  refresh(): void {
    for (const file of this.#files) file?.refresh();
  }
}
