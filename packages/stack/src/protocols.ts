import type { Packet } from '@qanat/bytes';
import { isUnicast } from '@qanat/ipv4';
import type { Tcp } from '@qanat/tcp';
import type { Interface } from './interface.ts';
import type { IpHandlers } from './ip-input.ts';

/** Hands datagrams to the transport protocols of a stack. */
export class Protocols implements IpHandlers {
  readonly #host: { readonly tcp: Tcp };

  constructor(host: { readonly tcp: Tcp }) {
    this.#host = host;
  }

  tcp(via: Interface, packet: Packet, headerBytes: number, src: number, dst: number): void {
    // TCP talks to single hosts only (RFC 9293 MUST-57, MUST-63).
    if (!isUnicast(dst, via.network.broadcast)) {
      via.stats.ipAddressErrors++;
      return;
    }
    packet.pull(headerBytes);
    this.#host.tcp.input(packet, src, dst);
  }

  udp(): void {}
  icmp(): void {}
  unknownProtocol(): void {}
  reassemblyTimeout(): void {}
}
