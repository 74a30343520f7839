import type { Random } from '@qanat/clock';
import type { UdpConfig } from './config.ts';
import type { UdpSocket } from './socket.ts';

/** Sockets by local port. */
export class UdpDemux {
  readonly #config: UdpConfig;
  readonly #random: Random;
  readonly #byPort = new Map<number, UdpSocket[]>();
  #size = 0;

  constructor(config: UdpConfig, random: Random) {
    this.#config = config;
    this.#random = random;
  }

  get size(): number {
    return this.#size;
  }

  /** @returns the sockets on that port, oldest first. Not to be changed. */
  onPort(port: number): readonly UdpSocket[] {
    return this.#byPort.get(port) ?? NONE;
  }

  /** @returns whether a socket on that address (0: any) would get in another's way; those that share do not. */
  isTaken(address: number, port: number, shared: boolean): boolean {
    for (const socket of this.onPort(port)) {
      if (shared && socket.shared) continue;
      if (address === 0 || socket.boundAddress === 0 || socket.boundAddress === address) return true;
    }
    return false;
  }

  /**
   * Picks an ephemeral port: from a random one upwards (RFC 6056 section 3.3.1).
   * @returns 0 when all are taken.
   */
  freePort(address: number): number {
    const first = this.#config.firstEphemeralPort;
    const count = this.#config.lastEphemeralPort - first + 1;
    const start = this.#random.u32() % count;
    for (let i = 0; i < count; i++) {
      const port = first + ((start + i) % count);
      if (!this.isTaken(address, port, false)) return port;
    }
    return 0;
  }

  add(socket: UdpSocket): void {
    const sockets = this.#byPort.get(socket.localPort);
    if (sockets === undefined) this.#byPort.set(socket.localPort, [socket]);
    else sockets.push(socket);
    this.#size++;
  }

  remove(socket: UdpSocket): void {
    const sockets = this.#byPort.get(socket.localPort);
    const index = sockets?.indexOf(socket) ?? -1;
    if (sockets === undefined || index < 0) return;
    this.#size--;
    if (sockets.length === 1) this.#byPort.delete(socket.localPort);
    else sockets.splice(index, 1);
  }

  /**
   * Finds who gets a unicast datagram: the socket that is most particular about it (its remote address counts more
   * than its local one), and of equals the youngest.
   */
  find(local: number, localPort: number, remote: number, remotePort: number): UdpSocket | undefined {
    let best: UdpSocket | undefined;
    let bestScore = -1;
    for (const socket of this.onPort(localPort)) {
      let score = 0;
      if (socket.boundAddress !== 0) {
        if (socket.boundAddress !== local) continue;
        score = 1;
      }
      if (socket.connected) {
        if (socket.remoteAddress !== remote || socket.remotePort !== remotePort || socket.localAddress !== local) {
          continue;
        }
        score += 2;
      }
      if (score >= bestScore) {
        best = socket;
        bestScore = score;
      }
    }
    return best;
  }

  *sockets(): Generator<UdpSocket> {
    for (const sockets of this.#byPort.values()) yield* sockets;
  }
}

const NONE: readonly UdpSocket[] = [];
