import type { Memory } from '@qanat/bytes';
import { getDstHi, getDstLo, getSrcHi, getSrcLo, isMulticast, isStation } from '@qanat/ethernet';
import { MacTable } from '@qanat/link';
import { type Hypercalls, NETIF_RSP_ERROR, NETIF_RSP_OKAY } from '@qanat/xen';
import type { NetbackConfig } from './config.ts';
import type { Frame } from './frame.ts';
import { copyFrameHead } from './frame-copy.ts';
import type { FrameSink, Port } from './port.ts';

/** Octets of both addresses of an Ethernet header. */
const ADDRESSES_BYTES = 12;
/** 01:80:c2:00:00:00 to 0f: for the bridge next door only (IEEE 802.1D table 7-10). */
const RESERVED_HI = 0x0180;
const RESERVED_LO = 0xc200_0000 | 0;

export interface BridgeCounters {
  /** Frames to one port. */
  forwarded: number;
  /** Frames to all other ports. */
  flooded: number;
  /** Frames that go nowhere: to where they came from, to the bridge itself, or with a source that cannot be. */
  filtered: number;
}

/** Sees every frame that a frontend sends into a bridge. */
export interface BridgeTap {
  /** @param port where it came in. @param frame valid until the call returns. */
  frame(port: Port, frame: Frame, nowUs: number): void;
}

/** A learning bridge between ports. */
export class Bridge implements FrameSink {
  readonly name: string;
  readonly table: MacTable;
  readonly counters: BridgeCounters = { forwarded: 0, flooded: 0, filtered: 0 };
  /** By bridge port number; holes are where ports have gone. */
  readonly ports: (Port | undefined)[] = [];
  tap: BridgeTap | undefined;
  readonly #hypercalls: Hypercalls;
  readonly #memory: Memory;
  readonly #headAddr: number;
  readonly #maxPorts: number;

  /** @param headAddr 16 bytes of Dom0's memory for the frame's addresses. */
  constructor(name: string, config: NetbackConfig, hypercalls: Hypercalls, memory: Memory, headAddr: number) {
    this.name = name;
    this.table = new MacTable({ entries: config.macEntries, agingUs: config.macAgingS * 1e6 });
    this.#hypercalls = hypercalls;
    this.#memory = memory;
    this.#headAddr = headAddr;
    this.#maxPorts = config.bridgePorts;
  }

  /** @throws RangeError when the bridge has no room for another port. */
  add(port: Port): void {
    let index = this.ports.indexOf(undefined);
    if (index < 0) index = this.ports.length;
    if (index >= this.#maxPorts) throw new RangeError(`bridge ${this.name} has ${this.#maxPorts} ports already`);
    this.ports[index] = port;
    port.bridgePort = index;
    port.bridge = this;
  }

  remove(port: Port): void {
    if (this.ports[port.bridgePort] !== port) return;
    this.ports[port.bridgePort] = undefined;
    this.table.forgetPort(port.bridgePort);
    port.bridgePort = -1;
    port.bridge = undefined;
  }

  /**
   * Sends a frame where its addresses say. It has an Ethernet header.
   * @returns NETIF_RSP_OKAY, or NETIF_RSP_ERROR when the sender's pages cannot be read.
   */
  forward(from: Port, frame: Frame, nowUs: number): number {
    const memory = this.#memory;
    const head = this.#headAddr;
    if (!copyFrameHead(this.#hypercalls, frame, head, ADDRESSES_BYTES)) return NETIF_RSP_ERROR;
    if (this.tap !== undefined) this.tap.frame(from, frame, nowUs);
    const srcHi = getSrcHi(memory, head);
    const srcLo = getSrcLo(memory, head);
    if (!isStation(srcHi, srcLo)) {
      this.counters.filtered++;
      return NETIF_RSP_OKAY;
    }
    this.table.learn(srcHi, srcLo, from.bridgePort, nowUs);
    const dstHi = getDstHi(memory, head);
    const dstLo = getDstLo(memory, head);
    if (isMulticast(dstHi)) {
      if (dstHi !== RESERVED_HI || (dstLo & ~0xf) !== RESERVED_LO) return this.#flood(from, frame, nowUs);
      this.counters.filtered++;
      return NETIF_RSP_OKAY;
    }
    const to = this.table.lookup(dstHi, dstLo, nowUs);
    if (to === from.bridgePort) {
      this.counters.filtered++;
      return NETIF_RSP_OKAY;
    }
    const port = to < 0 ? undefined : this.ports[to];
    if (port === undefined) return this.#flood(from, frame, nowUs);
    this.counters.forwarded++;
    return port.deliver(frame, nowUs);
  }

  #flood(from: Port, frame: Frame, nowUs: number): number {
    this.counters.flooded++;
    const { ports } = this;
    for (let i = 0; i < ports.length; i++) {
      const port = ports[i];
      if (port === undefined || port === from || !port.isConnected) continue;
      const status = port.deliver(frame, nowUs);
      if (status !== NETIF_RSP_OKAY) return status;
    }
    return NETIF_RSP_OKAY;
  }
}
