import type { TcpConfig } from './config.ts';
import type { Connection } from './connection.ts';
import type { ConnectionParent } from './context.ts';

/** What a listener shall do with a new connection: set its `user`, then let it run. */
export type OnConnection = (c: Connection) => void;

/** How long a connection that Fast Open brought and a reset ended counts as half open (as in Linux). */
const RESET_COUNTS_US = 60_000_000;

/** A port in LISTEN. Its backlog bounds what is half open and what waits to be accepted. */
export class Listener implements ConnectionParent {
  readonly address: number;
  readonly port: number;
  readonly backlog: number;
  readonly config: TcpConfig;
  readonly #onConnection: OnConnection;
  readonly #halfOpen = new Set<Connection>();
  /** Of the half-open ones, those that the application has already. */
  #fastOpen = 0;
  /** When those that were reset since stop counting against the limit (RFC 7413 section 5.1), oldest first. */
  #resetsUntilUs: number[] = [];
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

  get acceptQueueFull(): boolean {
    return this.waiting > this.backlog;
  }

  add(c: Connection): void {
    this.#halfOpen.add(c);
  }

  /** Whether one more connection may be handed out before its handshake is complete. */
  mayFastOpen(nowUs: number): boolean {
    while (this.#resetsUntilUs.length > 0 && this.#resetsUntilUs[0]! <= nowUs) this.#resetsUntilUs.shift();
    return this.#fastOpen + this.#resetsUntilUs.length < this.config.fastOpenBacklog;
  }

  /** Hands a connection out before its handshake is complete. */
  handOver(c: Connection): void {
    this.#fastOpen++;
    this.#onConnection(c);
  }

  established(c: Connection): void {
    this.#halfOpen.delete(c);
    if (c.fastOpen) this.#fastOpen--;
    else this.#onConnection(c);
  }

  failed(c: Connection): void {
    this.#halfOpen.delete(c);
    if (!c.fastOpen) return;
    this.#fastOpen--;
    // Somebody spoofs, and the victim answers with resets: they must not make room for more.
    if (c.error === 'ECONNRESET') this.#resetsUntilUs.push(c.tcp.nowUs + RESET_COUNTS_US);
  }

  /** The half-open connections, to be reset when the listener closes. */
  takeHalfOpen(): Connection[] {
    const all = [...this.#halfOpen];
    this.#halfOpen.clear();
    return all;
  }
}
