import type { Value } from '../code/ast.ts';
import type { LivePacket } from '../packet/decode.ts';
import type { Effect } from '../shell/effects.ts';
import type { SystemCalls } from './system-calls.ts';

/** A TCP connection as both ends name it. */
export interface FourTuple {
  readonly localPort: number;
  readonly remotePort: number;
}

/**
 * The machine under test as the runner sees it: a stack on virtual time, its system calls, and the wire. Nothing here
 * waits; the runner moves the clock.
 */
export interface Host {
  readonly calls: SystemCalls;
  /** Host order, int32. */
  readonly localAddress: number;
  readonly remoteAddress: number;
  /** Virtual time in microseconds. */
  readonly nowUs: number;
  /** When the stack next wants to run, or NEVER. */
  nextDeadlineUs(): number;
  /** Moves the clock to `us`, which is not beyond the next deadline, and runs what is due then. */
  advanceTo(us: number): void;
  /** A packet comes from the wire. @param gsoSize segment size of which it was put together, 0 for one as it is. */
  inject(packet: Uint8Array, gsoSize: number): void;
  /** Packets to the remote side, oldest first; the runner takes them off. */
  readonly sent: LivePacket[];
  /** Applies what a command or an option of the script asks for. @throws UnsupportedError where it cannot. */
  apply(effect: Effect): void;
  /** tcp_info of a connection, undefined when there is none. */
  tcpInfo(tuple: FourTuple): Readonly<Record<string, Value>> | undefined;
  close(): void;
}

/** How to make the machine: what the options of a script ask for. */
export interface HostOptions {
  /** Dotted quads. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly prefixBits: number;
  readonly mtu: number;
  readonly seed: number;
}

export type HostFactory = (options: HostOptions) => Host;
