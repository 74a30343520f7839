import { describeConnection, type FlowRecorder, type SourceRecorder } from '@qanat/flowlog';
import { type Cidr, contains, parseCidr } from '@qanat/ipv4';
import { addObserver, CLOSED, type Connection, removeObserver, type Tcp, TIME_WAIT } from '@qanat/tcp';
import { edge } from './net-error.ts';

/** Which flows of a stack are recorded; what is not given matches all. */
export interface FlowFilter {
  /** Address or prefix (192.168.8.0/24) that either end lies in. */
  readonly address?: string;
  /** Port of either end. */
  readonly port?: number;
  /** Who opened the connection: `in` the peer, `out` this end. */
  readonly direction?: 'in' | 'out';
}

/** The recording of all flows of a stack that a filter takes in. */
export class Recording {
  readonly #tcp: Tcp;
  readonly #source: SourceRecorder;
  readonly #recorders = new Map<Connection, FlowRecorder>();
  #matches: (c: Connection) => boolean;
  #isOn = true;

  /** @internal See `Stack.record`. */
  constructor(tcp: Tcp, source: SourceRecorder, filter: FlowFilter) {
    this.#tcp = tcp;
    this.#source = source;
    this.#matches = matcher(filter);
    tcp.stampClock = source.shareStamps(tcp.stampClock);
    tcp.onOpen = (c) => this.#watch(c);
    this.#watchAll();
  }

  /** Flows that are recorded now. */
  get flows(): number {
    return this.#recorders.size;
  }

  /**
   * Changes the filter: flows that it takes in are recorded from now on, the others no more.
   * @throws NetError EINVAL for an impossible address or port.
   */
  setFilter(filter: FlowFilter): void {
    this.#matches = matcher(filter);
    if (!this.#isOn) return;
    for (const [c, recorder] of this.#recorders) if (!this.#matches(c)) this.#end(c, recorder);
    this.#watchAll();
  }

  /** Ends the recording; what the source's recorder holds stays there. Twice is harmless. */
  stop(): void {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#tcp.onOpen = undefined;
    for (const [c, recorder] of this.#recorders) this.#end(c, recorder);
  }

  /** Those that sleep are shown as copies: only what is recorded wakes up. */
  #watchAll(): void {
    // Those in TIME-WAIT have nothing left to tell.
    for (const c of this.#tcp.snapshots)
      if (c.state !== TIME_WAIT && this.#matches(c)) this.#watch(this.#tcp.wake(c.slot));
  }

  #watch(c: Connection): void {
    if (c.state === TIME_WAIT || this.#recorders.has(c) || !this.#matches(c)) return;
    const startUs = this.#tcp.stampUser();
    const recorder = this.#source.flow(
      (id) => describeConnection(c, id, this.#source.source.id, startUs),
      () => this.#recorders.delete(c),
    );
    if (recorder === undefined) return;
    this.#recorders.set(c, recorder);
    addObserver(c, recorder);
  }

  #end(c: Connection, recorder: FlowRecorder): void {
    this.#recorders.delete(c);
    removeObserver(c, recorder);
    this.#source.end(recorder);
  }
}

function matcher(filter: FlowFilter): (c: Connection) => boolean {
  const { address, port, direction } = filter;
  const network = address === undefined ? undefined : edge('record', () => parseCidr(withPrefix(address)));
  return (c) => {
    if (c.state === CLOSED && c.segsIn > 0) return false;
    if (network !== undefined && !touches(network, c)) return false;
    if (port !== undefined && c.localPort !== port && c.remotePort !== port) return false;
    return direction === undefined || c.passive === (direction === 'in');
  };
}

function withPrefix(address: string): string {
  return address.includes('/') ? address : `${address}/32`;
}

function touches(network: Cidr, c: Connection): boolean {
  return contains(network, c.localAddress) || contains(network, c.remoteAddress);
}
