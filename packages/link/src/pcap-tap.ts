import { type Memory, PACKET_CSUM_BLANK, type Packet } from '@qanat/bytes';
import type { Clock } from '@qanat/clock';
import type { Netif, NetifUp, Offload } from './netif.ts';
import { withChecksum } from './offload-software.ts';
import { PCAP_DIRECTION_IN, PCAP_DIRECTION_OUT, type PcapngWriter } from './pcapng.ts';

/** A device that writes down what passes through it. A capture costs memory traffic and garbage; without it, none. */
class PcapTap implements Netif, NetifUp {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly memory: Memory;
  readonly #netif: Netif;
  readonly #writer: PcapngWriter;
  readonly #clock: Clock;
  readonly #iface: number;
  #up: NetifUp | undefined;

  constructor(netif: Netif, writer: PcapngWriter, clock: Clock) {
    this.name = netif.name;
    this.mac = netif.mac;
    this.mtu = netif.mtu;
    this.memory = netif.memory;
    this.#netif = netif;
    this.#writer = writer;
    this.#clock = clock;
    this.#iface = writer.addInterface(netif.name, netif.mac);
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
    this.#write(packet, PCAP_DIRECTION_OUT);
    this.#netif.transmit(packet);
  }

  /** A capture shows checksums, blank or not. */
  #write(packet: Packet, direction: number): void {
    const write = (): void => {
      this.#writer.packet(this.#iface, this.#clock.now(), this.memory, packet, direction);
    };
    if (packet.flags & PACKET_CSUM_BLANK) withChecksum(this.memory, packet, write);
    else write();
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

  /** Closes the device and hands the rest of the capture to its sink. */
  close(): void {
    this.#netif.close();
    this.#writer.flush();
  }

  receive(packet: Packet): void {
    // When the stack sees it, not when it arrived: stamps in a capture do not go back.
    this.#write(packet, PCAP_DIRECTION_IN);
    this.#up?.receive(packet);
  }

  receiveDone(): void {
    this.#up?.receiveDone();
  }

  transmitReady(): void {
    this.#up?.transmitReady();
  }
}

/**
 * Puts a capture between a device and its stack: both directions, as interface `netif.name` of the writer's file.
 * @param clock what the stamps are of. @returns the device to attach the stack to.
 */
export function pcapTap(netif: Netif, writer: PcapngWriter, clock: Clock): Netif {
  return new PcapTap(netif, writer, clock);
}
