import type { Connection } from './connection.ts';

/** Finds the connection of a segment: a hash of the four addresses, a chain for equal hashes, and the last hit first. */
export class Demux {
  readonly #chains = new Map<number, Connection[]>();
  #last: Connection | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(local: number, localPort: number, remote: number, remotePort: number): Connection | undefined {
    const last = this.#last;
    if (last !== undefined && matches(last, local, localPort, remote, remotePort)) return last;
    const chain = this.#chains.get(hash(local, localPort, remote, remotePort));
    if (chain === undefined) return undefined;
    for (let i = 0; i < chain.length; i++) {
      const c = chain[i]!;
      if (matches(c, local, localPort, remote, remotePort)) {
        this.#last = c;
        return c;
      }
    }
    return undefined;
  }

  add(c: Connection): void {
    const key = hash(c.localAddress, c.localPort, c.remoteAddress, c.remotePort);
    const chain = this.#chains.get(key);
    if (chain === undefined) this.#chains.set(key, [c]);
    else chain.push(c);
    this.#size++;
  }

  remove(c: Connection): void {
    if (this.#last === c) this.#last = undefined;
    const key = hash(c.localAddress, c.localPort, c.remoteAddress, c.remotePort);
    const chain = this.#chains.get(key);
    const at = chain === undefined ? -1 : chain.indexOf(c);
    if (chain === undefined || at < 0) return;
    if (chain.length === 1) this.#chains.delete(key);
    else chain.splice(at, 1);
    this.#size--;
  }

  *[Symbol.iterator](): Generator<Connection> {
    for (const chain of [...this.#chains.values()]) yield* [...chain];
  }
}

function matches(c: Connection, local: number, localPort: number, remote: number, remotePort: number): boolean {
  return (
    c.remotePort === remotePort && c.localPort === localPort && c.remoteAddress === remote && c.localAddress === local
  );
}

function hash(local: number, localPort: number, remote: number, remotePort: number): number {
  let h = Math.imul(remote ^ Math.imul(local, 0x27d4eb2d), 0x165667b1) ^ ((localPort << 16) | remotePort);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}
