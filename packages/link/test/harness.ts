import { Memory, type Packet, PageAllocator } from '@qanat/bytes';
import { VirtualTime } from '@qanat/clock';
import type { Netif, NetifUp } from '../src/index.ts';

/** A memory with its pages and a time of its own. */
export function createGround(bytes = 32 << 20) {
  const memory = Memory.create({ bytes });
  const pages = new PageAllocator(0, memory.bytes);
  const time = new VirtualTime();
  return { memory, pages, time, on: { memory, pages, clock: time.clock, timers: time.timers } };
}

/** A host that writes down what comes up: `time:tag` of each frame, the ends of batches, and room. */
export class Recorder implements NetifUp {
  readonly log: string[] = [];
  readonly frames: Uint8Array[] = [];
  /** Called for each frame, while it is this host's. */
  onFrame: ((packet: Packet) => void) | undefined;
  onDone: (() => void) | undefined;
  onReady: (() => void) | undefined;
  readonly #netif: Netif;
  readonly #time: VirtualTime;

  constructor(netif: Netif, time: VirtualTime) {
    this.#netif = netif;
    this.#time = time;
    netif.attach(this);
  }

  receive(packet: Packet): void {
    const nowUs = this.#time.clock.now();
    const bytes = this.#netif.memory.u8.slice(packet.addr, packet.addr + packet.len);
    if (packet.arrivedUs !== nowUs) throw new Error(`a stamp of ${packet.arrivedUs} at ${nowUs}`);
    if (packet.addr % 4 !== 2) throw new Error('the IP header would not be aligned');
    if (packet.headLen !== packet.len || packet.fragCount !== 0) throw new Error('not contiguous');
    this.log.push(`${nowUs}:${tagOf(bytes)}`);
    this.frames.push(bytes);
    this.onFrame?.(packet);
  }

  receiveDone(): void {
    this.log.push('done');
    this.onDone?.();
  }

  transmitReady(): void {
    this.log.push('ready');
    this.onReady?.();
  }
}

/** The number that `send` puts behind the Ethernet header. */
export function tagOf(frame: Uint8Array): number {
  return (frame[14]! << 8) | frame[15]!;
}

export interface FrameOptions {
  readonly bytes?: number;
  readonly dst?: Uint8Array;
  readonly src?: Uint8Array;
}

/** Transmits one frame with a tag, its other bytes made from the tag. @returns false when the device is full. */
export function send(netif: Netif, tag: number, options: FrameOptions = {}): boolean {
  const { bytes = 64, dst, src = netif.mac } = options;
  const packet = netif.allocate(bytes);
  if (packet === null) return false;
  packet.set(packet.addr, bytes);
  const { u8, view } = netif.memory;
  u8.fill(tag, packet.addr, packet.addr + bytes);
  if (dst !== undefined) u8.set(dst, packet.addr);
  u8.set(src, packet.addr + 6);
  view.setUint16(packet.addr + 14, tag);
  netif.transmit(packet);
  return true;
}

/** Everybody hears it. */
export const BROADCAST = new Uint8Array(6).fill(0xff);
