import type { Expression, SyscallAction } from '../ast.ts';
import { CONSTANTS, ERRNO, errnoName } from '../constants.ts';
import { UnsupportedError } from '../errors.ts';
import type { Address, EpollEvent, OptionValue, Outcome, PendingCall, SystemCalls } from '../host/system-calls.ts';
import {
  ArgumentError,
  field,
  fieldsOf,
  iovecBytes,
  isEllipsis,
  isMemory,
  isMemoryVector,
  listOf,
  numberOf,
  stringOf,
} from './values.ts';

const C = CONSTANTS as Readonly<Record<string, number>>;

/** What the script's calls need to know of the run. */
export interface CallContext {
  readonly calls: SystemCalls;
  /** The live descriptor of a script's descriptor. */
  liveFd(script: number): number;
  readonly bindAddress: Address;
  readonly connectAddress: Address;
  parseAddress(text: string): number;
}

/** A call ready to be made. */
export interface PreparedCall {
  readonly start: () => PendingCall;
  /** The result is a new descriptor. */
  readonly opens: boolean;
  /** What the outcome should have been besides its value, undefined when it is as the script says. */
  readonly check?: (outcome: Outcome) => string | undefined;
  /** Address of bind and connect. */
  readonly address?: Address;
}

type Prepare = (context: CallContext, args: readonly Expression[]) => PreparedCall;

function fdOf(context: CallContext, expression: Expression | undefined): number {
  const fd = numberOf(expression);
  return fd < 0 ? fd : context.liveFd(fd);
}

function plain(start: (context: CallContext, args: readonly Expression[]) => PendingCall): Prepare {
  return (context, args) => ({ start: () => start(context, args), opens: false });
}

function opening(start: (context: CallContext, args: readonly Expression[]) => PendingCall): Prepare {
  return (context, args) => ({ start: () => start(context, args), opens: true });
}

/** `...`, AF_UNSPEC, or `{sa_family = AF_INET, sin_port = htons(8080), sin_addr = inet_addr("192.0.2.1")}` */
function addressOf(context: CallContext, expression: Expression | undefined, otherwise: Address): Address {
  if (expression === undefined || expression.kind === 'ellipsis') return otherwise;
  if (expression.kind === 'word') return { ...otherwise, family: numberOf(expression) };
  const fields = fieldsOf(expression);
  const family = field(fields, 'sa_family', 'sin_family', 'sin6_family');
  const port = field(fields, 'sin_port', 'sin6_port');
  const address = field(fields, 'sin_addr', 'sin6_addr');
  return {
    family: family ? numberOf(family) : otherwise.family,
    port: port ? numberOf(port) : otherwise.port,
    address: address ? internetAddress(context, address) : otherwise.address,
  };
}

function internetAddress(context: CallContext, expression: Expression): number | undefined {
  if (expression.kind === 'call' && /^(inet_addr|inet_pton)$/.test(expression.name)) {
    return context.parseAddress(stringOf(expression.args.at(-1)));
  }
  return numberOf(expression) | 0;
}

function optionValue(expression: Expression | undefined): OptionValue {
  if (expression === undefined || expression.kind === 'ellipsis')
    throw new ArgumentError('expected a value for the option');
  const inner = expression.kind === 'list' && expression.items.length === 1 ? expression.items[0]! : expression;
  if (inner.kind === 'string') return inner.value;
  if (inner.kind !== 'struct') return numberOf(inner);
  const onoff = field(inner.fields, 'onoff', 'l_onoff');
  const linger = field(inner.fields, 'linger', 'l_linger');
  if (!onoff || !linger) throw new UnsupportedError('this structure of a socket option is not supported');
  return { onoff: numberOf(onoff), linger: numberOf(linger) };
}

function describeOption(value: OptionValue | undefined): string {
  return typeof value === 'object' ? `{onoff=${value.onoff}, linger=${value.linger}}` : String(value);
}

function optionBytes(value: OptionValue): number | undefined {
  if (typeof value === 'number') return 4;
  return typeof value === 'object' ? 8 : undefined;
}

const getsockopt: Prepare = (context, args) => {
  const [fd, level, name, expected, length] = args;
  return {
    opens: false,
    start: () => context.calls.getsockopt(fdOf(context, fd), numberOf(level), numberOf(name)),
    check: ({ option }) => {
      if (option === undefined || isEllipsis(expected)) return undefined;
      const want = optionValue(expected);
      const [a, b] = [describeOption(want), describeOption(option)];
      const differs = typeof want === 'number' && typeof option === 'number' ? want >>> 0 !== option >>> 0 : a !== b;
      if (differs) return `option value: expected ${a}, got ${b}`;
      const bytes = optionBytes(option);
      if (isEllipsis(length) || bytes === undefined || numberOf(length) === bytes) return undefined;
      return `option length: expected ${numberOf(length)}, got ${bytes}`;
    },
  };
};

const ioctl: Prepare = (context, args) => {
  const [fd, request, argument] = args;
  const number = isEllipsis(argument) ? undefined : numberOf(argument);
  return {
    opens: false,
    start: () => context.calls.ioctl(fdOf(context, fd), numberOf(request), number ?? 0),
    check: ({ option }) =>
      option === undefined || number === undefined || option === number
        ? undefined
        : `ioctl value: expected ${number}, got ${describeOption(option)}`,
  };
};

const poll: Prepare = (context, args) => {
  const [list, , timeout] = args;
  const entries = listOf(list).map((item) => {
    const fields = fieldsOf(item);
    const revents = field(fields, 'revents');
    return { fd: fdOf(context, field(fields, 'fd')), events: numberOf(field(fields, 'events')), revents };
  });
  return {
    opens: false,
    start: () => context.calls.poll(entries, numberOf(timeout)),
    check: ({ revents }) => {
      for (const [i, entry] of entries.entries()) {
        const got = revents?.[i] ?? 0;
        if (!isEllipsis(entry.revents) && numberOf(entry.revents) !== got) {
          return `revents: expected ${eventNames(numberOf(entry.revents))}, got ${eventNames(got)}`;
        }
      }
      return undefined;
    },
  };
};

function epollEvent(expression: Expression | undefined): EpollEvent {
  if (isEllipsis(expression)) return { events: 0, data: 0 };
  const fields = fieldsOf(expression);
  const data = field(fields, 'fd', 'ptr', 'u32', 'u64');
  return { events: numberOf(field(fields, 'events')) >>> 0, data: data && !isEllipsis(data) ? numberOf(data) : 0 };
}

const epollWait: Prepare = (context, args) => {
  const [fd, list, most, timeout] = args;
  return {
    opens: false,
    start: () => context.calls.epollWait(fdOf(context, fd), numberOf(most), numberOf(timeout)),
    check: ({ epoll }) => {
      const got = epoll?.[0];
      if (got === undefined || isEllipsis(list)) return undefined;
      const want = epollEvent(list);
      if (want.events !== got.events)
        return `events: expected ${eventNames(want.events)}, got ${eventNames(got.events)}`;
      return want.data === got.data ? undefined : `event data: expected ${want.data}, got ${got.data}`;
    },
  };
};

function eventNames(mask: number): string {
  const names = [
    'POLLIN',
    'POLLPRI',
    'POLLOUT',
    'POLLERR',
    'POLLHUP',
    'POLLNVAL',
    'POLLRDNORM',
    'POLLWRNORM',
    'POLLRDHUP',
  ];
  const found = names.filter((name) => (mask & C[name]!) !== 0);
  return found.length === 0 ? '0' : found.join('|');
}

const recvmsg: Prepare = (context, args) => {
  const [fd, message, flags] = args;
  const fields = fieldsOf(message);
  const bytes = iovecBytes(field(fields, 'msg_iov'));
  const wantFlags = field(fields, 'msg_flags');
  const wantControl = field(fields, 'msg_control');
  return {
    opens: false,
    start: () => context.calls.read(fdOf(context, fd), bytes, flags ? numberOf(flags) : 0),
    check: (outcome) => {
      const got = outcome.message;
      if (!got) return undefined;
      if (!isEllipsis(wantFlags) && numberOf(wantFlags) !== got.flags)
        return `msg_flags: expected ${numberOf(wantFlags)}, got ${got.flags}`;
      if (wantControl === undefined || wantControl.kind === 'ellipsis') return undefined;
      const want = listOf(wantControl).map(controlText);
      const have = got.control.map((c) => `{${c.level}, ${c.type}, ${c.data}}`);
      return want.join() === have.join() ? undefined : `msg_control: expected [${want}], got [${have}]`;
    },
  };
};

function controlText(expression: Expression): string {
  const fields = fieldsOf(expression);
  const data = field(fields, 'cmsg_data');
  if (data?.kind === 'struct') throw new UnsupportedError('this control message is not supported');
  return `{${numberOf(field(fields, 'cmsg_level'))}, ${numberOf(field(fields, 'cmsg_type'))}, ${numberOf(data)}}`;
}

function withAddress(call: 'bind' | 'connect'): Prepare {
  return (context, args) => {
    const fd = fdOf(context, args[0]);
    const address = addressOf(context, args[1], call === 'bind' ? context.bindAddress : context.connectAddress);
    return { start: () => context.calls[call](fd, address), opens: false, address };
  };
}

const fcntl: Prepare = (context, args) => {
  const [fd, command, argument] = args;
  const number = numberOf(command);
  return {
    opens: number === C['F_DUPFD'],
    start: () => context.calls.fcntl(fdOf(context, fd), number, isEllipsis(argument) ? 0 : numberOf(argument)),
  };
};

/** A call that reads or fills a buffer: EFAULT where the script gives an address that is none. */
function onBuffer(start: (context: CallContext, args: readonly Expression[]) => PendingCall): Prepare {
  return plain((context, args) => (isMemory(args[1]) || numberOf(args[2]) === 0 ? start(context, args) : BAD_ADDRESS));
}

function onVector(start: (context: CallContext, args: readonly Expression[]) => PendingCall): Prepare {
  return plain((context, args) => (isMemoryVector(args[1]) ? start(context, args) : BAD_ADDRESS));
}

const BAD_ADDRESS: PendingCall = {
  attempt: () => ({ value: -1, errno: C['EFAULT']! }),
  deadlineUs: Number.POSITIVE_INFINITY,
};

/** AF_INET, or what `--ip_version` stands for. */
function familyOf(expression: Expression | undefined): number {
  return isEllipsis(expression) ? C['AF_INET']! : numberOf(expression);
}

const PREPARE: ReadonlyMap<string, Prepare> = new Map<string, Prepare>([
  [
    'socket',
    opening((c, [family, type, protocol]) => c.calls.socket(familyOf(family), numberOf(type), numberOf(protocol))),
  ],
  ['bind', withAddress('bind')],
  ['connect', withAddress('connect')],
  ['listen', plain((c, [fd, backlog]) => c.calls.listen(fdOf(c, fd), numberOf(backlog)))],
  ['accept', opening((c, [fd]) => c.calls.accept(fdOf(c, fd), 0))],
  ['accept4', opening((c, args) => c.calls.accept(fdOf(c, args[0]), numberOf(args[3])))],
  ['read', onBuffer((c, [fd, , bytes]) => c.calls.read(fdOf(c, fd), numberOf(bytes), 0))],
  ['readv', onVector((c, [fd, iov]) => c.calls.read(fdOf(c, fd), iovecBytes(iov), 0))],
  ['recv', onBuffer((c, [fd, , bytes, flags]) => c.calls.read(fdOf(c, fd), numberOf(bytes), numberOf(flags)))],
  ['recvfrom', onBuffer((c, [fd, , bytes, flags]) => c.calls.read(fdOf(c, fd), numberOf(bytes), numberOf(flags)))],
  ['recvmsg', recvmsg],
  ['write', onBuffer((c, [fd, , bytes]) => c.calls.write(fdOf(c, fd), numberOf(bytes), 0))],
  ['writev', onVector((c, [fd, iov]) => c.calls.write(fdOf(c, fd), iovecBytes(iov), 0))],
  ['send', onBuffer((c, [fd, , bytes, flags]) => c.calls.write(fdOf(c, fd), numberOf(bytes), numberOf(flags)))],
  [
    'sendto',
    plain((c, [fd, , bytes, flags, to]) => {
      const address = to ? addressOf(c, to, c.connectAddress) : undefined;
      return c.calls.sendTo(fdOf(c, fd), numberOf(bytes), numberOf(flags), address);
    }),
  ],
  [
    'sendmsg',
    plain((c, [fd, message, flags]) => {
      const iov = field(fieldsOf(message), 'msg_iov');
      if (!isMemoryVector(iov)) return BAD_ADDRESS;
      const bytes = iovecBytes(iov);
      return c.calls.write(fdOf(c, fd), bytes, flags ? numberOf(flags) : 0);
    }),
  ],
  ['sendfile', plain((c, [out, input, , bytes]) => c.calls.sendfile(fdOf(c, out), fdOf(c, input), numberOf(bytes)))],
  ['open', opening((c, [path, flags]) => c.calls.open(stringOf(path), numberOf(flags)))],
  ['close', plain((c, [fd]) => c.calls.close(fdOf(c, fd)))],
  ['shutdown', plain((c, [fd, how]) => c.calls.shutdown(fdOf(c, fd), numberOf(how)))],
  ['fcntl', fcntl],
  ['ioctl', ioctl],
  ['getsockopt', getsockopt],
  [
    'setsockopt',
    plain((c, [fd, level, name, value]) =>
      c.calls.setsockopt(fdOf(c, fd), numberOf(level), numberOf(name), optionValue(value)),
    ),
  ],
  ['poll', poll],
  ['epoll_create', opening((c) => c.calls.epollCreate())],
  ['epoll_create1', opening((c) => c.calls.epollCreate())],
  [
    'epoll_ctl',
    plain((c, [epoll, operation, fd, event]) =>
      c.calls.epollCtl(fdOf(c, epoll), numberOf(operation), fdOf(c, fd), epollEvent(event)),
    ),
  ],
  ['epoll_wait', epollWait],
]);

/**
 * @throws UnsupportedError for a call that is not known, or words that are not.
 * @throws ArgumentError when the arguments are not of the call's form.
 */
export function prepareCall(action: SyscallAction, context: CallContext): PreparedCall {
  const prepare = PREPARE.get(action.name);
  if (!prepare) throw new UnsupportedError(`the system call ${action.name}() is not supported`);
  return prepare(context, action.args);
}

/** How an outcome differs from what the script says, undefined when it does not. */
export function compareOutcome(action: SyscallAction, prepared: PreparedCall, outcome: Outcome): string | undefined {
  if (action.result !== undefined) {
    const expected = numberOf(action.result);
    const fits = prepared.opens && expected >= 0 && outcome.value >= 0 ? true : expected === outcome.value;
    const wantErrno = action.errno === undefined ? undefined : ERRNO[action.errno];
    if (action.errno !== undefined && wantErrno === undefined)
      throw new UnsupportedError(`the error ${action.errno} is not known`);
    const errnoFits = outcome.value !== -1 || wantErrno === undefined || wantErrno === outcome.errno;
    if (!fits || !errnoFits) {
      const want = action.errno === undefined ? `${expected}` : `${expected} ${action.errno}`;
      return `${action.name}: expected ${want}, got ${describeOutcome(outcome)}`;
    }
  }
  if (outcome.value < 0) return undefined;
  const detail = prepared.check?.(outcome);
  return detail === undefined ? undefined : `${action.name}: ${detail}`;
}

export function describeOutcome(outcome: Outcome): string {
  return outcome.value === -1 ? `-1 ${errnoName(outcome.errno)}` : String(outcome.value);
}
