import type { Random } from '@qanat/clock';
import type { ConnectionTable } from './connection-table.ts';
import type { IsnGenerator } from './isn.ts';
import type { PassiveOpen } from './passive-open.ts';

/** RFC 6335: ephemeral ports, Linux's part of the range. */
const EPHEMERAL_FIRST = 32768;
const EPHEMERAL_LAST = 60999;

/** Chooses ports where the application has not. */
export class PortSpace {
  readonly #random: Random;
  readonly #isn: IsnGenerator;
  readonly #connections: ConnectionTable;
  readonly #passive: PassiveOpen;
  #offset: number;

  /** @param isn the stack's secret. @param connections @param passive who has which port. */
  constructor(random: Random, isn: IsnGenerator, connections: ConnectionTable, passive: PassiveOpen) {
    this.#random = random;
    this.#isn = isn;
    this.#connections = connections;
    this.#passive = passive;
    this.#offset = random.u32() & 0xffff;
  }

  /** A free port for `listen` on port 0. @returns 0 when all are taken. */
  free(): number {
    const count = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
    const start = this.#random.u32() % count;
    for (let i = 0; i < count; i++) {
      const port = EPHEMERAL_FIRST + ((start + i) % count);
      if (!this.#passive.isListening(port)) return port;
    }
    return 0;
  }

  /** RFC 6056 algorithm 3: a keyed offset for each remote end, then counting. @returns 0 when all are taken. */
  ephemeral(local: number, remote: number, remotePort: number): number {
    const count = EPHEMERAL_LAST - EPHEMERAL_FIRST + 1;
    const offset = (this.#isn.hash(local, remote, remotePort) >>> 0) % count;
    for (let i = 0; i < count; i++) {
      const port = EPHEMERAL_FIRST + ((offset + this.#offset++) % count);
      if (!this.#connections.has(local, port, remote, remotePort) && !this.#passive.isListening(port)) return port;
    }
    return 0;
  }
}
