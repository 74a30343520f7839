import type { Memory, PageAllocator } from '@qanat/bytes';
import type { Clock, TimerQueue } from '@qanat/clock';
import { TcpSegmenter } from '@qanat/link';
import type { Watched } from '@qanat/os';
import { type Hypercalls, MAPTRACK_ENTRIES, NETIF_RSP_ERROR, NETIF_RSP_OKAY, NETIF_RX_RING_ENTRIES } from '@qanat/xen';
import { Bridge } from './bridge.ts';
import { BufferPool } from './buffer-pool.ts';
import type { NetbackConfig } from './config.ts';
import { Frame } from './frame.ts';
import type { Port } from './port.ts';
import type { PortHost, PortQueue } from './port-queue.ts';

/** Handles for the rings of 128 vifs with eight queues each. */
const RING_HANDLES = 2048;
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
 * Moves the packets of all ports of all bridges. An event only marks its queue; one pass then serves every marked queue in
 * turn, and afterwards publishes each ring that was touched once. A queue with more to do goes to the end of the line,
 * behind the loop's timers and events. Queues have turns, not ports: a frontend with several gets more of a busy Dom0, as
 * with Linux's netback.
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
  /** Queues that wait for their turn: the first `#runnableCount`. */
  #runnable: PortQueue[] = [];
  #runnableCount = 0;
  #serving: PortQueue[] = [];
  readonly #touched: PortQueue[] = [];
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

  /** A queue has something to do, says its event. */
  run(queue: PortQueue): void {
    if (queue.isRunnable) return;
    queue.isRunnable = true;
    this.#runnable[this.#runnableCount++] = queue;
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#host.loop.defer(this.#pass);
  }

  touch(queue: PortQueue): void {
    if (queue.isTouched) return;
    queue.isTouched = true;
    this.#touched[this.#touchedCount++] = queue;
  }

  /** Serves every queue that waits for its turn. */
  pass(): void {
    this.passes++;
    const nowUs = this.#host.clock.now();
    const queues = this.#runnable;
    const count = this.#runnableCount;
    this.#runnable = this.#serving;
    this.#runnableCount = 0;
    this.#serving = queues;
    this.hypercalls.grantCopyBegin();
    for (let i = 0; i < count; i++) {
      const queue = queues[i]!;
      queue.isRunnable = false;
      this.#serve(queue, nowUs);
    }
    // Before the answers are out: who gets one may take the page's grant back.
    this.hypercalls.grantCopyEnd();
    this.finishTouched();
  }

  #serve(queue: PortQueue, nowUs: number): void {
    const { rings, port } = queue;
    if (rings === undefined || port.fault !== undefined) return;
    this.touch(queue);
    // First what waited: it came before whatever this pass brings.
    if (queue.waiting.size > 0) queue.drain(NETIF_RX_RING_ENTRIES, nowUs);
    const { tx } = rings;
    if (!tx.begin()) return;
    const { bridge } = port;
    const frame = this.#frame;
    const { counters } = queue;
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
      const queue = this.#touched[i]!;
      queue.isTouched = false;
      if (!queue.publish()) this.#onFault(queue.port);
      else if (queue.rings?.tx.hasMore || queue.arm()) this.run(queue);
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
