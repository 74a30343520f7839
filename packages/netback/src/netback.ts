import type { SeededImpairment } from '@qanat/link';
import type { Kernel } from '@qanat/os';
import { DEFAULT_BRIDGE, XenbusState } from '@qanat/xen';
import type { Bridge } from './bridge.ts';
import { DEFAULT_NETBACK_CONFIG, MAX_QUEUES, type NetbackConfig } from './config.ts';
import { type BridgeStats, bridgeStats } from './stats.ts';
import { Switchboard } from './switchboard.ts';
import { Vif, type VifSetup } from './vif.ts';

export interface NetbackOptions extends Partial<NetbackConfig> {
  /** A vif cannot be used (any more), says the text. Default: it goes to the console. */
  readonly onError?: (message: string) => void;
}

const VIF_PATH = /^backend\/vif\/(\d{1,5})\/(\d{1,5})(\/|$)/;
const VIF_KEYS = ['frontend', 'bridge', 'txqueuelen', 'impair'];
const MAX_TXQUEUELEN = 1_000_000;

/** The network backends of Dom0: makes one for every directory below `backend/vif`, and ends it with its directory. */
export class Netback {
  readonly switchboard: Switchboard;
  readonly #kernel: Kernel;
  readonly #config: NetbackConfig;
  readonly #onError: (message: string) => void;
  /** By `DOMID/N`. */
  readonly #vifs = new Map<string, Vif>();
  /** Directories that say what cannot be. They are not tried again until they are gone. */
  readonly #refused = new Set<string>();
  /** Directories that are being looked at, and whether something changed meanwhile. */
  readonly #looking = new Map<string, boolean>();

  /** @throws Error when the domain is out of pages, RangeError for an impossible `maxQueues`. */
  constructor(kernel: Kernel, options: NetbackOptions = {}) {
    this.#kernel = kernel;
    this.#config = { ...DEFAULT_NETBACK_CONFIG, ...options };
    const { maxQueues } = this.#config;
    if (!(Number.isInteger(maxQueues) && maxQueues >= 1 && maxQueues <= MAX_QUEUES)) {
      throw new RangeError(`netback: maxQueues is ${maxQueues}: it must be in 1..${MAX_QUEUES}`);
    }
    this.#onError = options.onError ?? ((message) => kernel.console.write(`netback: ${message}\n`));
    this.switchboard = new Switchboard(kernel, this.#config, (port) => {
      for (const vif of this.#vifs.values()) if (vif.port === port) vif.kill(port.fault ?? 'unknown');
    });
    kernel.loop.addAudit('netback', () => this.switchboard.sleepFault());
    kernel.xenstore.watch(
      'backend/vif',
      (path) => this.#changed(path),
      (error) => this.#onError(error.message),
    );
  }

  get vifs(): Iterable<Vif> {
    return this.#vifs.values();
  }

  get bridges(): Iterable<Bridge> {
    return this.switchboard.bridges;
  }

  /** A fresh copy of what all bridges and ports have counted. */
  stats(): BridgeStats[] {
    return [...this.bridges].map(bridgeStats);
  }

  #changed(path: string): void {
    const match = VIF_PATH.exec(path);
    if (match === null) {
      // The registration of the watch, or a node above the vifs: look at all of them.
      this.#lookAtAll();
      return;
    }
    const [, domid, index] = match;
    this.#look(Number(domid), Number(index));
  }

  #lookAtAll(): void {
    const { xenstore } = this.#kernel;
    for (const { setup } of this.#vifs.values()) this.#look(setup.domid, setup.index);
    xenstore.directory('backend/vif', (error, domids) => {
      if (error !== undefined) return;
      for (const domid of domids) {
        xenstore.directory(`backend/vif/${domid}`, (failed, indices) => {
          if (failed !== undefined) return;
          for (const index of indices) this.#look(Number(domid), Number(index));
        });
      }
    });
  }

  /** Makes or ends the vif of a directory, as it stands now. */
  #look(domid: number, index: number): void {
    if (!(Number.isInteger(domid) && Number.isInteger(index))) return;
    const key = `${domid}/${index}`;
    if (this.#looking.has(key)) {
      this.#looking.set(key, true);
      return;
    }
    this.#looking.set(key, false);
    const path = `backend/vif/${key}`;
    this.#kernel.xenstore.readMany(
      VIF_KEYS.map((name) => `${path}/${name}`),
      (_error, [frontend, bridge, txqueuelen, impair]) => {
        const isStale = this.#looking.get(key) === true;
        this.#looking.delete(key);
        const vif = this.#vifs.get(key);
        if (frontend === undefined) {
          vif?.close();
          this.#vifs.delete(key);
          this.#refused.delete(key);
        } else if (vif !== undefined && vif.setup.frontend !== frontend) {
          // Removed and made anew before we looked.
          vif.close();
          this.#vifs.delete(key);
          this.#create(key, { path, domid, index, frontend, bridge, txqueuelen, impair });
        } else if (vif === undefined && !this.#refused.has(key)) {
          this.#create(key, { path, domid, index, frontend, bridge, txqueuelen, impair });
        }
        if (isStale) this.#look(domid, index);
      },
    );
  }

  #create(key: string, nodes: VifText): void {
    try {
      const setup = readSetup(nodes, this.#config);
      this.#vifs.set(key, new Vif(this.#kernel, this.switchboard, setup, (message) => this.#onError(message)));
    } catch (error) {
      this.#refused.add(key);
      const message = `${nodes.path}: ${error instanceof Error ? error.message : error}`;
      this.#onError(message);
      this.#kernel.xenstore.write(`error/${nodes.path}/error`, `1 ${message}`);
      this.#kernel.xenstore.write(`${nodes.path}/state`, `${XenbusState.Closing}`);
    }
  }
}

/** The nodes of a backend directory as they were read. */
interface VifText {
  readonly path: string;
  readonly domid: number;
  readonly index: number;
  readonly frontend: string;
  readonly bridge: string | undefined;
  readonly txqueuelen: string | undefined;
  readonly impair: string | undefined;
}

/** @throws Error when a node says what cannot be. */
function readSetup(nodes: VifText, config: NetbackConfig): VifSetup {
  const { path, domid, index, frontend, bridge } = nodes;
  const txqueuelen = Number(nodes.txqueuelen ?? config.txqueuelen);
  if (!(Number.isInteger(txqueuelen) && txqueuelen >= 1 && txqueuelen <= MAX_TXQUEUELEN)) {
    throw new Error(`txqueuelen is ${nodes.txqueuelen}: it must be in 1..${MAX_TXQUEUELEN}`);
  }
  const impair = readImpairment(nodes.impair);
  return { path, domid, index, frontend, bridge: bridge ?? DEFAULT_BRIDGE, txqueuelen, impair };
}

function readImpairment(text: string | undefined): SeededImpairment | undefined {
  if (text === undefined || text === '') return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('impair is no JSON object');
  return value;
}
