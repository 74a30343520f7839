import type { Memory, PageAllocator } from '@qanat/bytes';
import type { Clock, TimerQueue } from '@qanat/clock';
import { TcpSegmenter } from '@qanat/link';
import type { Watched } from '@qanat/os';
import { type Hypercalls, MAPTRACK_ENTRIES, NETIF_RSP_ERROR, NETIF_RSP_OKAY, NETIF_RX_RING_ENTRIES } from '@qanat/xen';
import { Bridge } from './bridge.ts';
import { BufferPool } from './buffer-pool.ts';
import type { NetbackConfig } from './config.ts';
import { Frame } from './frame.ts';
import type { Port, PortHost } from './port.ts';

/** Handles for the rings of 128 vifs, and more. */
const RING_HANDLES = 512;
/** For the longest frame. */
const STAGING_PAGES = 16;

/** What the switchboard needs of the kernel that it runs in; a `Kernel` of @qanat/os is one. */
export interface SwitchboardHost {
  readonly memory: Memory;
  readonly pages: PageAllocator;
  readonly clock: Clock;
  readonly hypercalls: Hypercalls;
  /** Default: nobody watches. */
  readonly watched?: Watched;
  readonly loop: { readonly timers: TimerQueue; defer(task: () => void): void };
}

/**
 * Moves the packets of all ports of all bridges. An event only marks its port; one pass then serves every marked port in
 * turn, and afterwards publishes each ring that was touched once. A port with more to do goes to the end of the line,
 * behind the loop's timers and events.
 */
export class Switchboard implements PortHost {
  readonly hypercalls: Hypercalls;
  readonly pool: BufferPool;
  readonly timers: TimerQueue;
  readonly config: NetbackConfig;
  readonly memory: Memory;
  readonly scratchAddr: number;
  readonly stagingAddr: number;
  readonly segmenter: TcpSegmenter;
  /** Pages of frontends that may still be mapped: some handles are left for rings. */
  mapsLeft = MAPTRACK_ENTRIES - RING_HANDLES;
  readonly watched: Watched;
  /** Passes made. */
  passes = 0;
  readonly #host: SwitchboardHost;
  readonly #bridges = new Map<string, Bridge>();
  readonly #onFault: (port: Port) => void;
  readonly #frame = new Frame();
  /** Ports that wait for their turn: the first `#runnableCount`. */
  #runnable: Port[] = [];
  #runnableCount = 0;
  #serving: Port[] = [];
  readonly #touched: Port[] = [];
  #touchedCount = 0;
  #isQueued = false;
  readonly #pass = (): void => {
    this.#isQueued = false;
    this.pass();
  };

  /**
   * @param onFault a port's frontend broke the rules; its rings are not touched any more.
   * @throws Error when the domain is out of pages.
   */
  constructor(host: SwitchboardHost, config: NetbackConfig, onFault: (port: Port) => void) {
    this.#host = host;
    this.config = config;
    this.#onFault = onFault;
    this.hypercalls = host.hypercalls;
    this.watched = host.watched ?? { observer: undefined };
    this.timers = host.loop.timers;
    this.scratchAddr = host.pages.alloc();
    if (this.scratchAddr === 0) throw new Error('netback: no memory for a page');
    this.memory = host.memory;
    this.stagingAddr = host.pages.allocContiguous(STAGING_PAGES);
    if (this.stagingAddr === 0) throw new Error(`netback: no memory for ${STAGING_PAGES} pages in a row`);
    this.segmenter = new TcpSegmenter(host.memory);
    this.pool = new BufferPool(host.memory, host.pages, config.reservedPages);
  }

  get bridges(): Iterable<Bridge> {
    return this.#bridges.values();
  }

  /** @returns the bridge of that name, a new one if need be. */
  bridge(name: string): Bridge {
    let bridge = this.#bridges.get(name);
    if (bridge === undefined) {
      bridge = new Bridge(name, this.config, this.hypercalls, this.#host.memory, this.scratchAddr);
      this.#bridges.set(name, bridge);
    }
    return bridge;
  }

  /** A port has something to do, says its event. */
  run(port: Port): void {
    if (port.isRunnable) return;
    port.isRunnable = true;
    this.#runnable[this.#runnableCount++] = port;
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#host.loop.defer(this.#pass);
  }

  touch(port: Port): void {
    if (port.isTouched) return;
    port.isTouched = true;
    this.#touched[this.#touchedCount++] = port;
  }

  /** Serves every port that waits for its turn. */
  pass(): void {
    this.passes++;
    const nowUs = this.#host.clock.now();
    const ports = this.#runnable;
    const count = this.#runnableCount;
    this.#runnable = this.#serving;
    this.#runnableCount = 0;
    this.#serving = ports;
    this.hypercalls.grantCopyBegin();
    for (let i = 0; i < count; i++) {
      const port = ports[i]!;
      port.isRunnable = false;
      this.#serve(port, nowUs);
    }
    // Before the answers are out: who gets one may take the page's grant back.
    this.hypercalls.grantCopyEnd();
    this.finishTouched();
  }

  #serve(port: Port, nowUs: number): void {
    const { rings } = port;
    if (rings === undefined || port.fault !== undefined) return;
    this.touch(port);
    // First what waited: it came before whatever this pass brings.
    if (port.queue.size > 0) port.drain(NETIF_RX_RING_ENTRIES);
    const { tx } = rings;
    if (!tx.begin()) return;
    const { bridge } = port;
    const frame = this.#frame;
    const { counters } = port;
    for (let packets = 0; packets < this.config.batch && tx.read(frame); packets++) {
      frame.domid = port.domid;
      frame.grants = rings.grants;
      const status = frame.len === 0 || bridge === undefined ? NETIF_RSP_ERROR : bridge.forward(port, frame, nowUs);
      if (status === NETIF_RSP_OKAY) {
        counters.txPackets++;
        counters.txBytes += frame.len;
      } else {
        counters.txErrors++;
      }
      tx.answer(status);
    }
  }

  finishTouched(): void {
    // Publishing and arming touch nothing, so the list does not grow meanwhile.
    for (let i = 0; i < this.#touchedCount; i++) {
      const port = this.#touched[i]!;
      port.isTouched = false;
      if (!port.publish()) this.#onFault(port);
      else if (port.rings?.tx.hasMore || port.arm()) this.run(port);
    }
    this.#touchedCount = 0;
  }

  /** Sleep audit: what would never wake a port, or undefined. */
  sleepFault(): string | undefined {
    for (const { ports } of this.#bridges.values()) {
      for (const port of ports) {
        const fault = port?.sleepFault();
        if (fault !== undefined) return fault;
      }
    }
    return undefined;
  }
}
