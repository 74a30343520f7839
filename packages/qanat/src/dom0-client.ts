import type { TraceMessage } from '@qanat/flowlog';
import type { PcapngOptions } from '@qanat/link';
import type { BridgeStats, Dom0Message, Dom0Request } from '@qanat/netback';

/** Bytes of a pcapng file, and what is not in it. */
export interface CaptureEnd {
  readonly packets: number;
  /** Frames that came faster than they could be written. */
  readonly droppedPackets: number;
}

interface CaptureState {
  readonly onChunk: (chunk: Uint8Array) => void;
  end: CaptureEnd | undefined;
}

/** The host's end of the requests that Dom0's image answers. */
export class Dom0Client {
  readonly #post: (request: Dom0Request) => void;
  readonly #until: (done: () => boolean) => Promise<void>;
  readonly #onError: (message: string) => void;
  readonly #answers = new Map<number, BridgeStats[] | undefined>();
  readonly #captures = new Map<string, CaptureState>();
  #onTrace: ((trace: TraceMessage) => void) | undefined;
  #nextId = 1;

  /** @param until lets the machine move until something is true. @param onError what Dom0 complains of. */
  constructor(
    post: (request: Dom0Request) => void,
    until: (done: () => boolean) => Promise<void>,
    onError: (message: string) => void,
  ) {
    this.#post = post;
    this.#until = until;
    this.#onError = onError;
  }

  /** Takes a message that Dom0 posted. */
  receive(message: unknown): void {
    const said = message as Dom0Message;
    switch (said.type) {
      case 'bridge-stats':
        if (said.id !== undefined && this.#answers.has(said.id)) this.#answers.set(said.id, said.bridges);
        break;
      case 'pcap':
        this.#captures.get(said.bridge)?.onChunk(said.chunk);
        break;
      case 'pcap-end': {
        const capture = this.#captures.get(said.bridge);
        if (capture !== undefined) capture.end = { packets: said.packets, droppedPackets: said.droppedPackets };
        break;
      }
      case 'trace':
        this.#onTrace?.(said.trace);
        break;
      case 'trace-end':
        this.#onTrace = undefined;
        break;
      case 'netback-error':
        this.#onError(said.message);
        break;
    }
  }

  async bridgeStats(): Promise<BridgeStats[]> {
    const id = this.#nextId++;
    this.#answers.set(id, undefined);
    try {
      this.#post({ type: 'bridge-stats', id });
      await this.#until(() => this.#answers.get(id) !== undefined);
      return this.#answers.get(id) ?? [];
    } finally {
      this.#answers.delete(id);
    }
  }

  startCapture(bridge: string, onChunk: (chunk: Uint8Array) => void, options?: PcapngOptions): void {
    this.#captures.set(bridge, { onChunk, end: undefined });
    this.#post({ type: 'pcap-start', bridge, ...(options === undefined ? {} : { options }) });
  }

  startTrace(onTrace: (trace: TraceMessage) => void): void {
    this.#onTrace = onTrace;
    this.#post({ type: 'trace-start' });
  }

  async stopTrace(): Promise<void> {
    if (this.#onTrace === undefined) return;
    this.#post({ type: 'trace-stop' });
    await this.#until(() => this.#onTrace === undefined);
  }

  async stopCapture(bridge: string): Promise<CaptureEnd> {
    const capture = this.#captures.get(bridge);
    if (capture === undefined) return { packets: 0, droppedPackets: 0 };
    this.#post({ type: 'pcap-stop', bridge });
    await this.#until(() => capture.end !== undefined);
    this.#captures.delete(bridge);
    return capture.end ?? { packets: 0, droppedPackets: 0 };
  }
}
