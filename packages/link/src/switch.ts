import type { Packet } from '@qanat/bytes';
import { getDstHi, getDstLo, getSrcHi, getSrcLo, isMulticast } from '@qanat/ethernet';
import { Fabric, type FabricOptions } from './fabric.ts';
import { FabricPort } from './fabric-port.ts';
import { Impairment } from './impairment.ts';
import { createImpairment, IMPAIRED_RING_FRAMES, linkMac, RING_FRAMES, type SeededImpairment } from './link-options.ts';
import { MacTable, type MacTableOptions } from './mac-table.ts';
import type { Netif } from './netif.ts';

export interface SwitchPortOptions {
  /** Default `port0`, `port1`, ... */
  readonly name?: string;
  /** Of the host at this port; six bytes. Default 02:00:00:00:00:01, :02, ... */
  readonly mac?: Uint8Array;
  /** On the way out to this host; an Impairment of one's own can be watched, and changed while the link runs. */
  readonly impair?: SeededImpairment | Impairment;
  /**
   * Most frames that wait for this host (Linux's txqueuelen), unless `impair` says otherwise. Default 1000; the rest is
   * dropped and counted.
   */
  readonly queuePackets?: number;
}

export interface SwitchOptions extends FabricOptions, MacTableOptions {
  /** How many, or what they are. */
  readonly ports: number | readonly SwitchPortOptions[];
}

/** A learning switch. */
export interface Switch {
  /** One device per port, for the host at it. */
  readonly ports: readonly Netif[];
  readonly table: MacTable;
  readonly counters: SwitchCounters;
}

export interface SwitchCounters {
  /** Frames that went to the one port of their destination. */
  forwarded: number;
  /** Frames to a group or to an unknown address, which went to all others. */
  flooded: number;
  /** Frames whose destination is where they came from. */
  filtered: number;
  /** Copies that a flood could not make. */
  copyDrops: number;
}

const MAX_PORTS = 1024;
const DEFAULT_QUEUE_PACKETS = 1000;

class LearningSwitch extends Fabric implements Switch {
  readonly table: MacTable;
  readonly counters: SwitchCounters = { forwarded: 0, flooded: 0, filtered: 0, copyDrops: 0 };

  constructor(options: SwitchOptions, buffers: number) {
    super(options, buffers, buffers);
    this.table = new MacTable(options);
  }

  override forward(from: FabricPort, packet: Packet, nowUs: number): void {
    const { memory } = this;
    const addr = packet.addr;
    this.table.learn(getSrcHi(memory, addr), getSrcLo(memory, addr), from.index, nowUs);
    const dstHi = getDstHi(memory, addr);
    const to = isMulticast(dstHi) ? -1 : this.table.lookup(dstHi, getDstLo(memory, addr), nowUs);
    if (to === from.index) {
      this.counters.filtered++;
      this.giveBack(packet);
    } else if (to >= 0) {
      this.counters.forwarded++;
      this.ports[to]!.accept(packet, nowUs);
    } else {
      this.counters.flooded++;
      this.#flood(from, packet, nowUs);
    }
  }

  override portClosed(port: FabricPort): void {
    this.table.forgetPort(port.index);
    super.portClosed(port);
  }

  #flood(from: FabricPort, packet: Packet, nowUs: number): void {
    // The last one gets the frame itself, those before it copies.
    let last: FabricPort | undefined;
    for (const port of this.ports) {
      if (port === from || !port.attached) continue;
      if (last !== undefined) this.#acceptCopy(last, packet, nowUs);
      last = port;
    }
    if (last === undefined) this.giveBack(packet);
    else last.accept(packet, nowUs);
  }

  #acceptCopy(port: FabricPort, packet: Packet, nowUs: number): void {
    const copy = this.copyFor(port, packet);
    if (copy === null) this.counters.copyDrops++;
    else port.accept(copy, nowUs);
  }
}

/**
 * Joins several devices in one memory by a learning Ethernet switch. A frame for one host is handed over without a
 * copy. Each port queues a bounded number of frames for its host, and an impaired one delays, loses or harms them.
 * @throws RangeError for impossible options. @throws Error when `pages` has no room.
 */
export function createSwitch(options: SwitchOptions): Switch {
  const ports =
    typeof options.ports === 'number' ? new Array<SwitchPortOptions>(options.ports).fill({}) : options.ports;
  if (ports.length < 1 || ports.length > MAX_PORTS) {
    throw new RangeError(`a switch of ${ports.length} ports: it must have 1..${MAX_PORTS}`);
  }
  const ringFrames = ports.some((port) => port.impair !== undefined) ? IMPAIRED_RING_FRAMES : RING_FRAMES;
  const fabric = new LearningSwitch(options, ports.length * ringFrames);
  for (const [i, port] of ports.entries()) {
    const queueFrames = port.queuePackets ?? DEFAULT_QUEUE_PACKETS;
    if (!(Number.isInteger(queueFrames) && queueFrames >= 1 && queueFrames <= 0x1_0000)) {
      throw new RangeError(`a queue of ${queueFrames} frames: it must be an integer in 1..65536`);
    }
    fabric.ports.push(
      new FabricPort(fabric, i, {
        name: port.name ?? `port${i}`,
        mac: port.mac ?? linkMac(i),
        ringFrames,
        queueFrames,
        impairment:
          port.impair instanceof Impairment
            ? port.impair
            : createImpairment(port.impair && { queuePackets: queueFrames, ...port.impair }, i),
      }),
    );
  }
  return fabric;
}
