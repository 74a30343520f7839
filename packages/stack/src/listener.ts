import { formatAddress } from '@qanat/ipv4';
import type { Tcp, Listener as TcpListener } from '@qanat/tcp';

/** A port that accepts flows. */
export class Listener {
  readonly address: string;
  readonly port: number;
  readonly #tcp: Tcp;
  readonly #listener: TcpListener;

  /** @internal Listeners are made by `Stack.listen`. */
  constructor(tcp: Tcp, listener: TcpListener) {
    this.#tcp = tcp;
    this.#listener = listener;
    this.address = formatAddress(listener.address);
    this.port = listener.port;
  }

  /** Handshakes under way. */
  get halfOpen(): number {
    return this.#listener.halfOpen;
  }

  /**
   * Flows that were handed over and that the application does not serve yet. New connections are refused (their SYNs
   * dropped) while there are more than the backlog.
   */
  get waiting(): number {
    return this.#listener.waiting;
  }

  set waiting(count: number) {
    this.#listener.waiting = count;
  }

  /** Stops listening; flows that are established stay. */
  close(): void {
    this.#tcp.unlisten(this.#listener);
  }
}
