import type { Memory, Packet } from '@qanat/bytes';
import type { Netif, NetifUp } from '@qanat/link';

/** A device that keeps a hash of every frame that goes out, with the time. */
export class Recorder implements Netif {
  readonly frames: number[] = [];
  readonly #inner: Netif;
  readonly #now: () => number;

  constructor(inner: Netif, now: () => number) {
    this.#inner = inner;
    this.#now = now;
  }

  get name(): string {
    return this.#inner.name;
  }
  get mac(): Uint8Array {
    return this.#inner.mac;
  }
  get mtu(): number {
    return this.#inner.mtu;
  }
  get memory(): Memory {
    return this.#inner.memory;
  }
  get offload(): Netif['offload'] {
    return this.#inner.offload;
  }
  get counters(): Netif['counters'] {
    return this.#inner.counters;
  }
  attach(up: NetifUp): void {
    this.#inner.attach(up);
  }
  allocate(bytes: number): Packet | null {
    return this.#inner.allocate(bytes);
  }
  transmit(packet: Packet): void {
    let hash = this.#now() | 0;
    for (let i = 0; i < packet.len; i++) hash = Math.imul(hash ^ this.memory.u8[packet.addr + i]!, 0x01000193);
    this.frames.push(hash);
    this.#inner.transmit(packet);
  }
  release(packet: Packet): void {
    this.#inner.release(packet);
  }
  flush(): void {
    this.#inner.flush();
  }
  close(): void {
    this.#inner.close();
  }
}
