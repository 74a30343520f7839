import { SlotSink, SourceRecorder, type TraceMessage } from '@qanat/flowlog';
import type { PcapngOptions } from '@qanat/link';
import type { Kernel } from '@qanat/os';
import type { Bridge } from './bridge.ts';
import { Capture } from './capture.ts';
import type { Netback } from './netback.ts';
import type { BridgeStats } from './stats.ts';

/** What the host may ask of Dom0. */
export type Dom0Request =
  /** Answered by one `bridge-stats` with the same `id`. */
  | { readonly type: 'bridge-stats'; readonly id?: number }
  /** Captures a bridge until `pcap-stop`; a capture that runs is ended first. */
  | { readonly type: 'pcap-start'; readonly bridge: string; readonly options?: PcapngOptions }
  /** Answered by the rest of the capture and one `pcap-end`. */
  | { readonly type: 'pcap-stop'; readonly bridge: string }
  /** Records what happens to Dom0, its rings and its bridges until `trace-stop`. */
  | { readonly type: 'trace-start' }
  /** Answered by the rest of the record and one `trace-end`. */
  | { readonly type: 'trace-stop' };

/** What Dom0 says to the host. */
export type Dom0Message =
  | { readonly type: 'bridge-stats'; readonly id?: number; readonly atUs: number; readonly bridges: BridgeStats[] }
  /** The next piece of a capture file, in order. */
  | { readonly type: 'pcap'; readonly bridge: string; readonly chunk: Uint8Array }
  | { readonly type: 'pcap-end'; readonly bridge: string; readonly packets: number; readonly droppedPackets: number }
  /** The next piece of the record, in order. */
  | { readonly type: 'trace'; readonly trace: TraceMessage }
  | { readonly type: 'trace-end' }
  /** A vif cannot be used (any more), or a request cannot be served. */
  | { readonly type: 'netback-error'; readonly message: string };

/** Answers what the host asks of Dom0. */
export class Dom0Service {
  readonly #kernel: Kernel;
  readonly #netback: Netback;
  readonly #captures = new Map<Bridge, Capture>();
  #recorder: SourceRecorder | undefined;

  constructor(kernel: Kernel, netback: Netback) {
    this.#kernel = kernel;
    this.#netback = netback;
    kernel.onHostMessage = (message) => {
      if (isRequest(message)) this.#serve(message);
    };
  }

  /** Tells the host of something that went wrong. */
  report(message: string): void {
    this.#post({ type: 'netback-error', message });
  }

  #serve(request: Dom0Request): void {
    switch (request.type) {
      case 'bridge-stats': {
        const atUs = this.#kernel.clock.now();
        const id = request.id === undefined ? {} : { id: request.id };
        this.#post({ type: 'bridge-stats', ...id, atUs, bridges: this.#netback.stats() });
        break;
      }
      case 'pcap-start':
        this.#startCapture(request.bridge, request.options);
        break;
      case 'pcap-stop':
        this.#stopCapture(this.#netback.switchboard.bridge(request.bridge));
        break;
      case 'trace-start':
        this.#startTrace();
        break;
      case 'trace-stop':
        this.#stopTrace();
        this.#post({ type: 'trace-end' });
        break;
    }
  }

  #startCapture(name: string, options: PcapngOptions | undefined): void {
    const bridge = this.#netback.switchboard.bridge(name);
    this.#stopCapture(bridge);
    try {
      const sink = (chunk: Uint8Array): void => this.#post({ type: 'pcap', bridge: name, chunk });
      const capture = new Capture(this.#kernel, sink, options);
      this.#captures.set(bridge, capture);
      bridge.tap = capture;
    } catch (error) {
      this.report(`pcap of ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }

  #stopCapture(bridge: Bridge): void {
    const capture = this.#captures.get(bridge);
    if (capture === undefined) return;
    this.#captures.delete(bridge);
    bridge.tap = undefined;
    capture.close();
    const { packets, droppedPackets } = capture.writer;
    this.#post({ type: 'pcap-end', bridge: bridge.name, packets, droppedPackets });
  }

  #startTrace(): void {
    this.#stopTrace();
    const kernel = this.#kernel;
    this.#recorder = new SourceRecorder({
      source: { id: kernel.domid, name: kernel.name, kind: 'dom0' },
      now: () => kernel.clock.now(),
      sink: new SlotSink((trace) => this.#post({ type: 'trace', trace })),
    });
    kernel.watched.observer = this.#recorder.machine;
  }

  #stopTrace(): void {
    this.#kernel.watched.observer = undefined;
    this.#recorder?.flush();
    this.#recorder = undefined;
  }

  #post(message: Dom0Message): void {
    this.#kernel.post(message);
  }
}

function isRequest(message: unknown): message is Dom0Request {
  if (typeof message !== 'object' || message === null) return false;
  const { type, bridge } = message as { type?: unknown; bridge?: unknown };
  if (type === 'trace-start' || type === 'trace-stop') return true;
  return type === 'bridge-stats' || ((type === 'pcap-start' || type === 'pcap-stop') && typeof bridge === 'string');
}
