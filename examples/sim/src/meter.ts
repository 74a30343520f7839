import type { Memory, Packet } from '@qanat/bytes';
import type { Netif, NetifUp, Offload } from '@qanat/link';

/** What stands between a host and its device: it counts, and a test may let it do harm. */
export class Meter implements Netif, NetifUp {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly memory: Memory;
  /** Frames that the host sent. */
  frames = 0;
  /** Called with each frame before it goes to the device. */
  onTransmit: ((netif: Netif, packet: Packet) => void) | undefined;
  /** Called with each frame before the host gets it. @returns whether it shall get it. */
  onReceive: ((packet: Packet) => boolean) | undefined;
  readonly #netif: Netif;
  #up: NetifUp | undefined;

  constructor(netif: Netif) {
    this.#netif = netif;
    this.name = netif.name;
    this.mac = netif.mac;
    this.mtu = netif.mtu;
    this.memory = netif.memory;
  }

  get offload(): Offload {
    return this.#netif.offload;
  }

  get txQueues(): number {
    return this.#netif.txQueues ?? 1;
  }

  allocate(frameBytes: number, flow?: number): Packet | null {
    return this.#netif.allocate(frameBytes, flow);
  }

  transmit(packet: Packet): void {
    this.frames++;
    this.onTransmit?.(this.#netif, packet);
    this.#netif.transmit(packet);
  }

  release(packet: Packet): void {
    this.#netif.release(packet);
  }

  flush(): void {
    this.#netif.flush();
  }

  attach(up: NetifUp): void {
    this.#up = up;
    this.#netif.attach(this);
  }

  close(): void {
    this.#netif.close();
  }

  receive(packet: Packet): void {
    if (this.onReceive === undefined || this.onReceive(packet)) this.#up?.receive(packet);
  }

  receiveDone(): void {
    this.#up?.receiveDone();
  }

  transmitReady(): void {
    this.#up?.transmitReady();
  }
}
