import { Timer } from '@qanat/clock';
import type { Netif } from '@qanat/link';
import type { Kernel } from '@qanat/os';
import { type Watch, XenbusState } from '@qanat/xen';
import { DEFAULT_NETFRONT_CONFIG, MAX_QUEUES, type NetfrontConfig } from './config.ts';
import { Connection } from './connection.ts';
import type { NetfrontCounters } from './counters.ts';
import type { NetfrontDevice } from './device.ts';
import { Reclaimer } from './reclaimer.ts';
import { readVif, type VifNodes, writeConnection } from './vif-nodes.ts';
import { VifResources } from './vif-resources.ts';

export interface NetfrontOptions extends Partial<NetfrontConfig> {
  /** The device has a backend again, after it had lost one: time for a gratuitous ARP. */
  readonly onUp?: (netif: Netif) => void;
  /** The backend is gone. The device stays, and is full until `onUp`. */
  readonly onDown?: (netif: Netif) => void;
  /** The device is closed for good. */
  readonly onClosed?: () => void;
  /** The vif cannot be used (any more): no such device, out of memory, or the backend broke the protocol. */
  readonly onError?: (error: Error) => void;
}

/** What the frontend is doing. `closed` is final. */
export type NetfrontState = 'initialising' | 'connecting' | 'connected' | 'closing' | 'closed';

/**
 * Starts the frontend of `device/vif/INDEX`: goes through the XenbusState handshake with the backend as Linux does
 * (1; backend 2; rings and features in one transaction; 4; backend 4), and again whenever the backend was away.
 * @param index number of the vif in its domain, from 0.
 * @param cb gets the device once, when the first backend is connected. Frames sent from then on reach the bridge.
 * @throws RangeError when `options.queues` is impossible.
 */
export function createNetfront(
  kernel: Kernel,
  index: number,
  cb: (netif: Netif) => void,
  options: NetfrontOptions = {},
): Netfront {
  return new Netfront(kernel, index, cb, options);
}

/** The frontend of one vif: its life in xenstore. What moves packets is in `NetfrontDevice`. */
export class Netfront {
  readonly index: number;
  /** `device/vif/N`, below the domain's own directory. */
  readonly path: string;
  /** Why the vif is closed, where it was not asked for. */
  error: Error | undefined;
  readonly #kernel: Kernel;
  readonly #options: NetfrontOptions;
  readonly #config: NetfrontConfig;
  readonly #onFirst: (netif: Netif) => void;
  readonly #reclaimer: Reclaimer;
  readonly #reopenTimer: Timer;
  readonly #backendWatch: Watch;
  #stateWatch: Watch | undefined;
  #backend = '';
  #backendId = -1;
  #backendState: number = XenbusState.Unknown;
  #own: number = XenbusState.Initialising;
  #resources: VifResources | undefined;
  #connection: Connection | undefined;
  #isUp = false;
  #isClosing = false;
  #isFinished = false;
  /** A connect is under way that has not written state 4 yet. */
  #isConnecting = false;
  /** Moves when what was under way in xenstore is no longer wanted. */
  #epoch = 0;
  #reopens = 0;
  #upSinceUs = 0;

  constructor(kernel: Kernel, index: number, cb: (netif: Netif) => void, options: NetfrontOptions) {
    this.index = index;
    this.path = `device/vif/${index}`;
    this.#kernel = kernel;
    this.#options = options;
    this.#config = { ...DEFAULT_NETFRONT_CONFIG, ...options };
    const { queues } = this.#config;
    if (!(Number.isInteger(queues) && queues >= 1 && queues <= MAX_QUEUES)) {
      throw new RangeError(`netfront: queues is ${queues}: it must be in 1..${MAX_QUEUES}`);
    }
    this.#onFirst = cb;
    this.#reclaimer = new Reclaimer(kernel, this.#config.revokeRetryMs);
    this.#reopenTimer = new Timer(() => this.#reopenNow());
    this.#writeState(XenbusState.Initialising);
    this.#backendWatch = kernel.xenstore.watch(
      `${this.path}/backend`,
      () => this.#findBackend(),
      (error) => this.#fail(error),
    );
    kernel.loop.addAudit(`netfront ${index}`, () => this.device?.sleepFault());
  }

  get state(): NetfrontState {
    if (this.#isFinished) return 'closed';
    if (this.#isClosing) return 'closing';
    if (this.#isUp) return 'connected';
    return this.#isConnecting || this.#connection !== undefined ? 'connecting' : 'initialising';
  }

  /** The device, once there was a backend. */
  get device(): NetfrontDevice | undefined {
    return this.#resources?.device;
  }

  get counters(): NetfrontCounters | undefined {
    return this.device?.counters;
  }

  /** Grants that the backend has not let go of yet. */
  get unreclaimedGrants(): number {
    return this.#reclaimer.size;
  }

  /** Closes the vif: 5, waits until the backend has let go, 6. `onClosed` follows. Twice is harmless. */
  close(): void {
    if (this.#isClosing || this.#isFinished) return;
    this.#isClosing = true;
    this.#epoch++;
    this.#kernel.loop.timers.cancel(this.#reopenTimer);
    this.device?.disconnect();
    this.#writeState(XenbusState.Closing);
    this.#evaluate();
  }

  #findBackend(): void {
    const paths = [`${this.path}/backend`, `${this.path}/backend-id`];
    this.#kernel.xenstore.readMany(paths, (error, [path, id]) => {
      if (this.#isFinished) return;
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      const domid = Number(id);
      if (path === undefined || path === '' || !Number.isInteger(domid)) return;
      if (path === this.#backend && domid === this.#backendId) return;
      if (this.#stateWatch !== undefined) this.#kernel.xenstore.unwatch(this.#stateWatch);
      this.#backend = path;
      this.#backendId = domid;
      this.#backendState = XenbusState.Unknown;
      this.#evaluate();
      this.#stateWatch = this.#kernel.xenstore.watch(
        `${path}/state`,
        () => this.#readBackendState(),
        (failed) => this.#fail(failed),
      );
    });
  }

  #readBackendState(): void {
    const path = this.#backend;
    this.#kernel.xenstore.read(`${path}/state`, (error, value) => {
      if (this.#isFinished || path !== this.#backend) return;
      // The backend is gone: ENOENT, or EACCES where its parent is not ours to look at.
      this.#backendState = error === undefined ? Number(value) : XenbusState.Unknown;
      this.#evaluate();
    });
  }

  /** Does what the states of both ends ask for. Called whenever one of them has changed. */
  #evaluate(): void {
    const backend = this.#backendState;
    if (this.#isClosing) {
      if (backend === XenbusState.Unknown || backend >= XenbusState.Closing || this.#connection === undefined) {
        this.#finish();
      }
      return;
    }
    switch (backend) {
      case XenbusState.InitWait:
        if (this.#own === XenbusState.Initialising) {
          if (!this.#isConnecting) this.#connect();
        } else if (this.#isUp || this.#own === XenbusState.Closed) {
          // A backend that begins anew: the one that we were connected with is no more.
          this.#down();
          this.#reopen();
        }
        break;
      case XenbusState.Connected:
        if (this.#own === XenbusState.Connected && !this.#isUp) this.#rise();
        break;
      case XenbusState.Initialising:
        if (this.#own !== XenbusState.Initialising) {
          this.#down();
          this.#reopen();
        }
        break;
      case XenbusState.Closed:
        // The device itself stays when `online` is 1: then the backend goes back to 2 when we go back to 1.
        if (this.#own === XenbusState.Closed) this.#reopenIfOnline();
        else if (this.#own === XenbusState.Connected) {
          this.#down();
          this.#reopenIfOnline();
        }
        break;
      case XenbusState.Closing:
        if (this.#own !== XenbusState.Closed) this.#down();
        break;
      case XenbusState.Unknown:
        if (this.#own === XenbusState.Connected || this.#isConnecting) this.#down();
        break;
      default:
        break;
    }
  }

  #connect(): void {
    this.#isConnecting = true;
    const epoch = this.#epoch;
    readVif(this.#kernel, this.path, this.#backend, this.#config, (error, nodes) => {
      if (epoch !== this.#epoch) return;
      if (error !== undefined || nodes === undefined) {
        this.#fail(error ?? new Error(`${this.#backend} cannot be read`));
        return;
      }
      this.#connectWith(nodes, epoch);
    });
  }

  #connectWith(nodes: VifNodes, epoch: number): void {
    const kernel = this.#kernel;
    let connection: Connection;
    try {
      this.#resources ??= new VifResources(kernel, this.index, nodes, this.#config, this.#reclaimer, {
        onBroken: (reason) => this.#fail(new Error(`${this.#backend} broke the netif protocol: ${reason}`)),
        onClose: () => this.close(),
      });
      const resources = this.#resources;
      const { splitEventChannels: split, queues } = nodes;
      const [config, reclaimer] = [this.#config, this.#reclaimer];
      connection = new Connection(kernel, this.index, this.#backendId, resources, reclaimer, config, queues, split);
      resources.device.offload = resources.offloadWith(nodes);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(`${error}`));
      return;
    }
    this.#connection = connection;
    writeConnection(kernel, this.path, connection, this.#config, nodes, (error) => {
      if (epoch !== this.#epoch) return;
      if (error !== undefined) {
        this.#fail(error);
        return;
      }
      this.#isConnecting = false;
      this.#writeState(XenbusState.Connected);
      this.#evaluate();
    });
  }

  /** Both ends are connected. */
  #rise(): void {
    const { device } = this.#resources!;
    this.#isUp = true;
    this.#upSinceUs = this.#kernel.clock.now();
    const isFirst = !device.wasConnected;
    device.connect(this.#connection!.queues);
    if (isFirst) this.#onFirst(device);
    else this.#options.onUp?.(device);
  }

  /** The backend is gone or going: gives back what was shared with it, and says so with state 6. */
  #down(): void {
    const wasUp = this.#isUp;
    this.#epoch++;
    this.#isUp = false;
    this.#isConnecting = false;
    this.device?.disconnect();
    this.#connection?.close();
    this.#connection = undefined;
    if (this.#own !== XenbusState.Closed) this.#writeState(XenbusState.Closed);
    if (!wasUp) return;
    if (this.#kernel.clock.now() - this.#upSinceUs > this.#config.reconnectMaxMs * 1000) this.#reopens = 0;
    this.#options.onDown?.(this.device!);
  }

  #reopenIfOnline(): void {
    const epoch = this.#epoch;
    this.#kernel.xenstore.read(`${this.#backend}/online`, (error, value) => {
      if (epoch !== this.#epoch || this.#isFinished || this.#isClosing) return;
      if (error === undefined && value === '1') this.#reopen();
    });
  }

  /** Goes back to state 1: at once the first time, later with pauses. */
  #reopen(): void {
    if (this.#reopenTimer.armed) return;
    const { reconnectMs, reconnectMaxMs } = this.#config;
    const pauseMs = this.#reopens === 0 ? 0 : Math.min(reconnectMs * 2 ** (this.#reopens - 1), reconnectMaxMs);
    this.#reopens++;
    this.#kernel.loop.timers.arm(this.#reopenTimer, this.#kernel.clock.now() + pauseMs * 1000);
  }

  #reopenNow(): void {
    if (this.#own !== XenbusState.Closed || this.#isClosing) return;
    this.#writeState(XenbusState.Initialising);
    this.#evaluate();
  }

  /** The vif cannot be used: tells everybody and closes it for good. */
  #fail(error: Error): void {
    if (this.error !== undefined || this.#isFinished) return;
    this.error = error;
    this.#kernel.console.write(`netfront ${this.index}: ${error.message}\n`);
    this.#kernel.xenstore.write(`error/${this.path}/error`, `1 ${error.message}`);
    this.#options.onError?.(error);
    this.close();
  }

  #finish(): void {
    this.#isFinished = true;
    this.#down();
    this.#kernel.xenstore.unwatch(this.#backendWatch);
    if (this.#stateWatch !== undefined) this.#kernel.xenstore.unwatch(this.#stateWatch);
    this.#resources?.close();
    this.#options.onClosed?.();
  }

  #writeState(state: number): void {
    this.#own = state;
    this.#kernel.xenstore.write(`${this.path}/state`, `${state}`);
  }
}
