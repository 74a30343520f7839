import {
  HEADROOM,
  type Memory,
  PACKET_CSUM_BLANK,
  PACKET_DATA_VALIDATED,
  Packet,
  type PageAllocator,
} from '@qanat/bytes';
import type { Netif, NetifUp, Offload } from '@qanat/link';

const PAGE_BYTES = 4096;
/** Where a frame begins in its buffer: its IP header is aligned then. */
const FRAME_OFFSET = HEADROOM + 2;

/**
 * One end of a cable that moves only when it is told to, so that each step can be timed: frames that were transmitted
 * wait until `hand` gives them to the other end.
 */
export class StepPort implements Netif {
  readonly name: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly memory: Memory;
  readonly offload: Offload;
  readonly #free: Packet[] = [];
  readonly #base: number[] = [];
  #sent: Packet[] = [];
  #up: NetifUp | undefined;
  #waiting = false;

  /** @param frames how many it may have out at once. */
  constructor(name: string, memory: Memory, pages: PageAllocator, mtu: number, offload: Offload, frames: number) {
    this.name = name;
    this.mac = new Uint8Array([2, 0, 0, 0, 0, name.charCodeAt(0) & 0xff]);
    this.memory = memory;
    this.mtu = mtu;
    this.offload = offload;
    const largest = Math.max(mtu, offload.gsoMaxBytes) + 14 + FRAME_OFFSET;
    for (let i = 0; i < frames; i++) {
      const packet = new Packet();
      packet.token = i;
      this.#base.push(pages.allocContiguous(Math.ceil(largest / PAGE_BYTES)));
      this.#free.push(packet);
    }
  }

  attach(up: NetifUp): void {
    this.#up = up;
  }

  allocate(frameBytes: number): Packet | null {
    const packet = this.#free.pop();
    if (packet === undefined) {
      this.#waiting = true;
      return null;
    }
    packet.set(this.#base[packet.token]! + FRAME_OFFSET, frameBytes);
    return packet;
  }

  transmit(packet: Packet): void {
    this.#sent.push(packet);
  }

  release(packet: Packet): void {
    this.#free.push(packet);
  }

  flush(): void {}

  close(): void {}

  /** Frames that wait to be handed over. */
  get waiting(): number {
    return this.#sent.length;
  }

  /** Gives the frames to the other end, without the end of the batch. @returns how many there were. */
  hand(to: StepPort): number {
    const frames = this.#sent;
    this.#sent = [];
    const up = to.#up!;
    for (let i = 0; i < frames.length; i++) {
      const frame = frames[i]!;
      // Memory did not damage what nobody summed up.
      if (frame.flags & PACKET_CSUM_BLANK) frame.flags |= PACKET_DATA_VALIDATED;
      up.receive(frame);
      this.#free.push(frame);
    }
    return frames.length;
  }

  /** Ends a batch that came in, and says that there is room again where that is owed. */
  endBatch(): void {
    this.#up!.receiveDone();
    if (this.#waiting && this.#free.length > 0) {
      this.#waiting = false;
      this.#up!.transmitReady();
    }
  }

  /** Gives the host a frame of its own making, again and again the same. */
  inject(packet: Packet): void {
    this.#up!.receive(packet);
  }

  /** The last frame that waits to be handed over. */
  get last(): Packet | undefined {
    return this.#sent.at(-1);
  }
}
