import {
  type DomainExit,
  type DomainStart,
  type Hypervisor,
  type LaunchedDomain,
  type Launcher,
  VIRQ_ARCH_0,
} from '@qanat/xen';
import { type Image, imageHref } from './image.ts';
import { node } from './node-host.ts';
import { builtUrl, describeError, type ThreadMessage, type ThreadStart } from './thread-protocol.ts';

export interface ThreadLauncherOptions {
  readonly hypervisor: Hypervisor;
  /** Makes `kernel.random` of every domain repeatable. */
  readonly seed?: number | undefined;
  /** Audits every sleep; a domain that sleeps with work left throws. Default false. */
  readonly audit?: boolean | undefined;
  /**
   * Longest spin before a sleep, in microseconds; it adapts, and is off while it does not pay. Default 50, but 200 for a
   * guest that is kept to another CPU than Dom0. Nobody spins while another that is kept to the same CPU could run.
   */
  readonly spinUs?: number | undefined;
}

const ENTRY = 'thread-entry.js';
const ENTRY_SOURCE = 'thread-entry.ts';
/**
 * A little more than it takes to wake a thread on another core of a virtual machine (30 to 40 us): a shorter spin gives up
 * just before the answer to what was sent, and then both ends pay a wake-up at each hop.
 */
const DEFAULT_SPIN_US = 50;
/** Where Dom0, through which all comes, runs on another CPU meanwhile. */
const OWN_CPU_SPIN_US = 200;
const DOM0 = 0;
/** How long `runUntil` waits for its word before it looks by itself. */
const LOOK_AGAIN_MS = 50;

/** Runs each domain in a worker thread, which truly blocks while its vcpu does. */
export class ThreadLauncher implements Launcher<Image> {
  readonly #hypervisor: Hypervisor;
  readonly #seed: number | undefined;
  readonly #audit: boolean;
  readonly #spinUs: number | undefined;
  #dom0Affinity: number | undefined;
  #running = 0;
  #changed: () => void = () => {};

  /** @throws Error when the machine's memory is not shared, or this is not Node. */
  constructor(options: ThreadLauncherOptions) {
    this.#hypervisor = options.hypervisor;
    this.#seed = options.seed;
    this.#audit = options.audit ?? false;
    this.#spinUs = options.spinUs;
    if (node === undefined) throw new Error('domains in threads need Node: use a CooperativeScheduler here');
    if (!options.hypervisor.memory.shared) throw new Error('domains in threads need a shared machine memory');
  }

  /** @throws Error when the image is an object, or no built file is there. */
  launch(start: DomainStart<Image>): LaunchedDomain {
    const { domid, config } = start;
    const image = imageUrl(start.image);
    const entry = entryUrl();
    if (domid === DOM0) this.#dom0Affinity = config.affinity;
    const data: ThreadStart = {
      memory: this.#hypervisor.memory.handle,
      domid,
      config,
      image,
      args: start.args,
      seed: this.#seed === undefined ? undefined : this.#seed + domid,
      audit: this.#audit,
      spinUs: this.#spinUs ?? this.#spinUsFor(domid, config.affinity),
    };
    // From the sources this process may run with loaders and conditions that the built files must not see.
    // Else they are inherited by saying nothing: named, a flag of V8 would be refused.
    const flags = import.meta.url.endsWith('.ts') ? { execArgv: [] } : {};
    const worker = new node!.Worker(entry, { workerData: data, name: config.name, ...flags });
    let exit: DomainExit = { name: config.name, domid, code: -1 };
    let stopped = false;
    this.#running++;
    worker.on('message', (message: ThreadMessage) => {
      if (message.type === 'message') start.onMessage(message.message);
      else exit = { ...exit, code: message.code, ...(message.error === undefined ? {} : { error: message.error }) };
      this.#changed();
    });
    worker.on('error', (error) => {
      exit = { ...exit, code: 1, error: describeError(error) };
    });
    worker.on('exit', () => {
      stopped = true;
      this.#running--;
      start.onExit(exit);
      this.#changed();
    });
    return {
      post: (message) => {
        if (stopped) return;
        worker.postMessage(message);
        this.#hypervisor.sendVirq(domid, VIRQ_ARCH_0);
      },
      kill: () => {
        if (!stopped) void worker.terminate();
      },
    };
  }

  #spinUsFor(domid: number, affinity: number | undefined): number {
    const dom0 = this.#dom0Affinity;
    const apart = domid !== DOM0 && affinity !== undefined && dom0 !== undefined && affinity !== dom0;
    return apart ? OWN_CPU_SPIN_US : DEFAULT_SPIN_US;
  }

  /** Waits on the host's event loop until `done()`. @throws Error when all domains have ended and it is not. */
  async runUntil(done: () => boolean, word: number): Promise<void> {
    const { i32 } = this.#hypervisor.memory;
    for (;;) {
      const seen = Atomics.load(i32, word);
      if (done()) return;
      if (this.#running === 0) throw new Error('every domain has ended, and what was waited for has not come');
      await this.#change(i32, word, seen);
    }
  }

  /** A change of the word, a message, an exit, or a short time: whichever comes first. */
  #change(i32: Int32Array, word: number, seen: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LOOK_AGAIN_MS);
      const changed = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#changed = changed;
      if (typeof Atomics.waitAsync !== 'function') return;
      const wait = Atomics.waitAsync(i32, word, seen, LOOK_AGAIN_MS);
      if (wait.async) void wait.value.then(changed);
      else changed();
    });
  }
}

/** The built entry, also when this module runs from its source. */
function entryUrl(): URL {
  return new URL(
    builtUrl(new URL('.', import.meta.url).href + (import.meta.url.endsWith('.ts') ? ENTRY_SOURCE : ENTRY)),
  );
}

function imageUrl(image: URL | string | Image): string {
  if (typeof image !== 'string' && !(image instanceof URL)) {
    throw new Error('a domain in a thread needs the URL or path of its image: an object cannot go there');
  }
  const href = builtUrl(imageHref(image));
  if (href.startsWith('file:') && !node!.existsSync(node!.fileURLToPath(href))) {
    throw new Error(`the image ${node!.fileURLToPath(href)} is missing: build first (tsc -b)`);
  }
  return href;
}
