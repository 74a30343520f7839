import type { Memory, Packet, PageAllocator } from '@qanat/bytes';
import type { Clock, TimerQueue } from '@qanat/clock';
import type { FabricPort } from './fabric-port.ts';
import { FramePool } from './frame-pool.ts';
import type { Offload } from './netif.ts';
import { TcpSegmenter } from './offload-software.ts';

/** What a link made of software lives on. */
export interface FabricOptions {
  /** Where the frames are; both (all) ends share it. */
  readonly memory: Memory;
  /** Where the buffers come from. */
  readonly pages: PageAllocator;
  readonly clock: Clock;
  /** Delivers the frames: nothing is ever handed up from within `transmit` or `flush`. */
  readonly timers: TimerQueue;
  /** Largest IP packet in bytes, 68 to 65535. Default 1500. */
  readonly mtu?: number;
  /**
   * Offloads of every port: frames with blank checksums, and super-segments of TCP over IPv4, pass as they are; where a
   * link is impaired, it carries what a cable would. `gso` needs `checksum`, and buffers of 64 KB. Default none.
   */
  readonly offload?: { readonly checksum?: boolean; readonly gso?: boolean };
}

/** RFC 791: every internet module must take 68 bytes without fragmentation. */
const MIN_MTU = 68;
const MAX_MTU = 65_535;
const DEFAULT_MTU = 1500;
/** Largest super-segment: with an Ethernet header its length has 16 bits, as in a Xen ring. */
const GSO_MAX_BYTES = 65_520;

/** What joins ports: it owns their buffers and decides who gets a frame. */
export abstract class Fabric {
  readonly memory: Memory;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly mtu: number;
  readonly offload: Offload;
  readonly segmenter: TcpSegmenter;
  readonly pool: FramePool;
  readonly ports: FabricPort[] = [];
  /** Ports whose `allocate` failed and that still wait for room. */
  waitingPorts = 0;

  /**
   * @param options see there. @param buffers most frames that all hosts together hold or have on the way.
   * @param copies most copies of frames besides.
   * @throws RangeError for an impossible MTU. @throws Error when there are no pages.
   */
  protected constructor(options: FabricOptions, buffers: number, copies: number) {
    const mtu = options.mtu ?? DEFAULT_MTU;
    if (!(Number.isInteger(mtu) && mtu >= MIN_MTU && mtu <= MAX_MTU)) {
      throw new RangeError(`an MTU of ${mtu}: it must be an integer in ${MIN_MTU}..${MAX_MTU}`);
    }
    this.memory = options.memory;
    this.clock = options.clock;
    this.timers = options.timers;
    this.mtu = mtu;
    const { checksum = false, gso = false } = options.offload ?? {};
    if (gso && !checksum) throw new RangeError('gso without checksum: super-segments have no checksum of their own');
    this.offload = { txChecksum: checksum, gsoMaxBytes: gso ? GSO_MAX_BYTES : 0 };
    this.segmenter = new TcpSegmenter(options.memory);
    const packetBytes = Math.max(mtu, this.offload.gsoMaxBytes);
    this.pool = new FramePool(options.memory, options.pages, packetBytes, buffers + copies);
  }

  /** Takes over a queued frame of `from`: hands it to a port's `accept`, or gives it back. */
  abstract forward(from: FabricPort, packet: Packet, nowUs: number): void;

  /** A buffer comes home. Within a batch the caller wakes who waits for one (`wakeWaiting`) when it is through. */
  giveBack(packet: Packet): void {
    const owner = this.pool.owner[packet.token]!;
    this.pool.give(packet);
    if (owner >= 0) this.ports[owner]!.held--;
    else this.ports[-1 - owner]!.copiesHeld--;
  }

  /** Gives those a turn whose `allocate` failed and who have room now. */
  wakeWaiting(nowUs: number): void {
    if (this.waitingPorts === 0) return;
    for (const port of this.ports) if (port.waiting && port.hasRoom) port.wake(nowUs);
  }

  /** A second buffer with the same frame, on the account of the port that it is for; null when that has none left. */
  copyFor(port: FabricPort, packet: Packet): Packet | null {
    const copy = port.takeCopyBuffer();
    if (copy === null) return null;
    copy.set(copy.addr, packet.len);
    copy.flags = packet.flags;
    copy.gsoSize = packet.gsoSize;
    this.memory.kernel.copy(copy.addr, packet.addr, packet.len);
    this.pool.queue(copy);
    return copy;
  }

  /** Called when a port has closed. The buffers' pages go back when it was the last. */
  portClosed(_port: FabricPort): void {
    if (this.ports.every((port) => port.closed)) this.pool.close();
  }
}
