import type { TcpConfig } from './config.ts';
import type { Connection, ConnectionParent } from './connection.ts';

/** What a listener shall do with a new connection: set its `user`, then let it run. */
export type OnConnection = (c: Connection) => void;

/** A port in LISTEN. Its backlog bounds what is half open and what waits to be accepted. */
export class Listener implements ConnectionParent {
  readonly address: number;
  readonly port: number;
  readonly backlog: number;
  readonly config: TcpConfig;
  readonly #onConnection: OnConnection;
  readonly #halfOpen = new Set<Connection>();
  /** Connections the user has not accepted yet; the user keeps it, if it has an accept queue. */
  waiting = 0;
  closed = false;

  /** @param address local address (int32), 0 for any. */
  constructor(address: number, port: number, backlog: number, config: TcpConfig, onConnection: OnConnection) {
    this.address = address;
    this.port = port;
    this.backlog = backlog;
    this.config = config;
    this.#onConnection = onConnection;
  }

  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  /** Whether one more SYN is too many. */
  get full(): boolean {
    return this.#halfOpen.size >= Math.max(this.backlog, 1);
  }

  add(c: Connection): void {
    this.#halfOpen.add(c);
  }

  established(c: Connection): void {
    this.#halfOpen.delete(c);
    this.#onConnection(c);
  }

  failed(c: Connection): void {
    this.#halfOpen.delete(c);
  }

  /** The half-open connections, to be reset when the listener closes. */
  takeHalfOpen(): Connection[] {
    const all = [...this.#halfOpen];
    this.#halfOpen.clear();
    return all;
  }
}
