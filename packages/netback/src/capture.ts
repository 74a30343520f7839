import { type Memory, Packet, type PageAllocator } from '@qanat/bytes';
import { finishChecksum, type PcapngOptions, PcapngWriter } from '@qanat/link';
import { type Hypercalls, NETTXF_CSUM_BLANK } from '@qanat/xen';
import type { BridgeTap } from './bridge.ts';
import type { Frame } from './frame.ts';
import { copyFrameHead } from './frame-copy.ts';
import type { Port } from './port.ts';

/** Pages for the longest frame. */
const BUFFER_PAGES = 16;

/**
 * Captures what passes a bridge: every frame once, where it comes in, with the time of that pass. The port is an
 * interface of the capture. Blank checksums are filled in; super-segments stay whole. It costs a copy per frame; without it, a bridge pays one branch.
 */
export class Capture implements BridgeTap {
  readonly writer: PcapngWriter;
  readonly #memory: Memory;
  readonly #pages: PageAllocator;
  readonly #hypercalls: Hypercalls;
  readonly #addr: number;
  readonly #packet = new Packet();
  readonly #interfaces = new Map<Port, number>();

  /**
   * @param sink gets the file in pieces.
   * @throws Error when the domain is out of pages.
   */
  constructor(
    host: { readonly memory: Memory; readonly pages: PageAllocator; readonly hypercalls: Hypercalls },
    sink: (chunk: Uint8Array) => void,
    options: PcapngOptions = {},
  ) {
    this.#memory = host.memory;
    this.#pages = host.pages;
    this.#hypercalls = host.hypercalls;
    this.#addr = host.pages.allocContiguous(BUFFER_PAGES);
    if (this.#addr === 0) throw new Error('no memory for a capture');
    this.writer = new PcapngWriter(sink, options);
  }

  frame(port: Port, frame: Frame, nowUs: number): void {
    let iface = this.#interfaces.get(port);
    if (iface === undefined) {
      iface = this.writer.addInterface(port.name);
      this.#interfaces.set(port, iface);
    }
    if (!copyFrameHead(this.#hypercalls, frame, this.#addr, frame.len)) return;
    if (frame.flags & NETTXF_CSUM_BLANK) finishChecksum(this.#memory, this.#addr, frame.len);
    this.#packet.set(this.#addr, frame.len);
    this.writer.packet(iface, nowUs, this.#memory, this.#packet);
  }

  /** Writes the rest out and gives the pages back. The bridge's `tap` is cleared first. */
  close(): void {
    this.writer.flush();
    this.#pages.free(this.#addr, BUFFER_PAGES);
  }
}
