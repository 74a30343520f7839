const FIRST_SLOTS = 16;
const FIRST_BUCKETS = 8;

/**
 * Numbers the connections of a host and finds them by their four addresses and ports: a hash with chains, and the last
 * hit first. The hash has a secret key, so that no peer can choose ports that all lead to one chain. It holds no objects, only words in typed arrays. It grows by linear hashing (Litwin 1980): with each
 * connection that is added at most one chain is split, so there is no pause, however many there are.
 */
export class Demux {
  #local = new Int32Array(FIRST_SLOTS);
  #remote = new Int32Array(FIRST_SLOTS);
  /** Local port, remote port. */
  #ports = new Int32Array(FIRST_SLOTS);
  /** The next in the chain, or among the free slots: slot + 1, 0 at the end. */
  #next = new Int32Array(FIRST_SLOTS);
  #used = new Uint8Array(FIRST_SLOTS);
  /** First of each chain: slot + 1, 0 for none. */
  #buckets = new Int32Array(FIRST_BUCKETS);
  /** Chains in use; the mask of the round of splits that is under way, and the next chain to be split in it. */
  #chains = FIRST_BUCKETS;
  #mask = FIRST_BUCKETS - 1;
  #split = 0;
  /** Slots that were ever used, and the first of those that are free again. */
  #end = 0;
  #free = 0;
  #size = 0;
  #last = -1;
  readonly #key0: number;
  readonly #key1: number;

  /** @param key0 @param key1 random numbers that the peers do not know, 32 bits each. */
  constructor(key0: number, key1: number) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  get size(): number {
    return this.#size;
  }

  /** Slots are numbers below this. */
  get end(): number {
    return this.#end;
  }

  /** Slots that there is room for: who keeps more for each slot makes as much room. */
  get capacity(): number {
    return this.#local.length;
  }

  isUsed(slot: number): boolean {
    return slot >= 0 && slot < this.#end && this.#used[slot] === 1;
  }

  localAddress(slot: number): number {
    return this.#local[slot]!;
  }

  remoteAddress(slot: number): number {
    return this.#remote[slot]!;
  }

  localPort(slot: number): number {
    return this.#ports[slot]! >>> 16;
  }

  remotePort(slot: number): number {
    return this.#ports[slot]! & 0xffff;
  }

  /** @returns the slot of a connection, or -1. */
  find(local: number, localPort: number, remote: number, remotePort: number): number {
    const ports = (localPort << 16) | remotePort;
    const last = this.#last;
    if (last >= 0 && this.#matches(last, local, remote, ports)) return last;
    let slot = this.#buckets[this.#chainOf(demuxHash(local, remote, ports, this.#key0, this.#key1))]! - 1;
    while (slot >= 0) {
      if (this.#matches(slot, local, remote, ports)) {
        this.#last = slot;
        return slot;
      }
      slot = this.#next[slot]! - 1;
    }
    return -1;
  }

  /** Enters a connection that is not there yet. @returns its slot. */
  add(local: number, localPort: number, remote: number, remotePort: number): number {
    let slot = this.#free - 1;
    if (slot >= 0) {
      this.#free = this.#next[slot]!;
    } else {
      slot = this.#end++;
      if (slot === this.#local.length) this.#growSlots();
    }
    const ports = (localPort << 16) | remotePort;
    this.#local[slot] = local;
    this.#remote[slot] = remote;
    this.#ports[slot] = ports;
    this.#used[slot] = 1;
    this.#link(slot, this.#chainOf(demuxHash(local, remote, ports, this.#key0, this.#key1)));
    if (++this.#size > this.#chains) this.#splitChain();
    return slot;
  }

  /** Takes a connection out; a slot that is not in use stays so. */
  remove(slot: number): void {
    if (!this.isUsed(slot)) return;
    if (this.#last === slot) this.#last = -1;
    const chain = this.#chainOf(this.#hashOf(slot));
    let at = this.#buckets[chain]! - 1;
    if (at === slot) {
      this.#buckets[chain] = this.#next[slot]!;
    } else {
      while (this.#next[at]! - 1 !== slot) at = this.#next[at]! - 1;
      this.#next[at] = this.#next[slot]!;
    }
    this.#used[slot] = 0;
    this.#next[slot] = this.#free;
    this.#free = slot + 1;
    this.#size--;
  }

  #matches(slot: number, local: number, remote: number, ports: number): boolean {
    return this.#ports[slot] === ports && this.#remote[slot] === remote && this.#local[slot] === local;
  }

  #hashOf(slot: number): number {
    return demuxHash(this.#local[slot]!, this.#remote[slot]!, this.#ports[slot]!, this.#key0, this.#key1);
  }

  #chainOf(hashed: number): number {
    const chain = hashed & this.#mask;
    // Chains before `split` have been split in this round: one more bit tells.
    return chain < this.#split ? hashed & ((this.#mask << 1) | 1) : chain;
  }

  #link(slot: number, chain: number): void {
    this.#next[slot] = this.#buckets[chain]!;
    this.#buckets[chain] = slot + 1;
  }

  /** Divides one chain in two. */
  #splitChain(): void {
    if (this.#chains === this.#buckets.length) this.#buckets = grown(this.#buckets);
    const from = this.#split++;
    let slot = this.#buckets[from]! - 1;
    this.#buckets[from] = 0;
    this.#chains++;
    while (slot >= 0) {
      const next = this.#next[slot]! - 1;
      this.#link(slot, this.#chainOf(this.#hashOf(slot)));
      slot = next;
    }
    if (this.#split > this.#mask) {
      this.#mask = (this.#mask << 1) | 1;
      this.#split = 0;
    }
  }

  #growSlots(): void {
    this.#local = grown(this.#local);
    this.#remote = grown(this.#remote);
    this.#ports = grown(this.#ports);
    this.#next = grown(this.#next);
    const used = new Uint8Array(this.#used.length * 2);
    used.set(this.#used);
    this.#used = used;
  }
}

/** @returns a copy of twice the length. */
export function grown(from: Int32Array): Int32Array<ArrayBuffer> {
  const to = new Int32Array(from.length * 2);
  to.set(from);
  return to;
}

/**
 * What a peer chooses, its address and the ports, meets a key before it meets anything else that he knows: `key0` by an
 * exclusive or, `key1` by a product.
 */
export function demuxHash(local: number, remote: number, ports: number, key0: number, key1: number): number {
  let h = Math.imul(remote ^ key0, 0x165667b1) ^ Math.imul(local, 0x27d4eb2d);
  h = Math.imul(h ^ (h >>> 15) ^ ports, key1 | 1);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
