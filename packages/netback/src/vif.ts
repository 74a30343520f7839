import { seededRandom } from '@qanat/clock';
import { Impairment, type SeededImpairment } from '@qanat/link';
import type { Kernel } from '@qanat/os';
import { type Watch, XenbusState } from '@qanat/xen';
import type { Bridge } from './bridge.ts';
import { FrontendMapping } from './frontend-mapping.ts';
import { type FrontendNodes, readFrontend } from './frontend-nodes.ts';
import { Port } from './port.ts';
import type { Switchboard } from './switchboard.ts';

/** What the toolstack wrote of a vif into its backend directory. */
export interface VifSetup {
  /** `backend/vif/DOMID/N`. */
  readonly path: string;
  readonly domid: number;
  readonly index: number;
  /** The frontend's directory. */
  readonly frontend: string;
  readonly bridge: string;
  readonly txqueuelen: number;
  readonly impair: SeededImpairment | undefined;
}

const { Initialising, InitWait, Initialised, Connected, Closing, Closed } = XenbusState;

/**
 * The backend of one vif: its life in xenstore, as Linux's netback goes through it. The state of the backend follows that
 * of the frontend, step by step and never by a jump (`set_backend_state`).
 */
export class Vif {
  readonly setup: VifSetup;
  readonly port: Port;
  readonly bridge: Bridge;
  readonly #kernel: Kernel;
  readonly #switchboard: Switchboard;
  readonly #onError: (message: string) => void;
  #frontendWatch: Watch | undefined;
  #state: number = Initialising;
  #mapping: FrontendMapping | undefined;
  #isClosed = false;
  /** Moves when a connect that is under way is no longer wanted. */
  #epoch = 0;

  /** @throws RangeError when the impairment's options are impossible or the bridge is full. */
  constructor(kernel: Kernel, switchboard: Switchboard, setup: VifSetup, onError: (message: string) => void) {
    const { domid, index, impair, txqueuelen } = setup;
    this.setup = setup;
    this.#kernel = kernel;
    this.#switchboard = switchboard;
    this.#onError = onError;
    this.port = new Port(switchboard, {
      name: `vif${domid}.${index}`,
      domid,
      index,
      txqueuelen,
      impairment:
        impair === undefined
          ? undefined
          : new Impairment(
              { queuePackets: txqueuelen, ...impair },
              // Every vif has chances of its own, also where all were given the same seed.
              seededRandom((impair.seed ?? 1) + (domid * 64 + index) * 2 ** 32),
            ),
    });
    this.bridge = switchboard.bridge(setup.bridge);
    this.bridge.add(this.port);
    this.#advertise();
  }

  /** XenbusState of the backend. */
  get state(): number {
    return this.#state;
  }

  /** The vif is gone (its directory was removed): lets go of everything and writes nothing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#frontendWatch !== undefined) this.#kernel.xenstore.unwatch(this.#frontendWatch);
    this.#disconnect();
    this.bridge.remove(this.port);
  }

  /** The frontend broke the protocol: its rings are let go of, and the vif is closed. */
  kill(reason: string): void {
    this.#fail(`${this.port.name} is disabled: ${reason}`);
  }

  /** What we can do, in one transaction, and then state 2. */
  #advertise(): void {
    const { checksumOffload, gso, persistentGrants, splitEventChannels, maxQueues } = this.#switchboard.config;
    this.#kernel.xenstore.transaction(
      (tx) => {
        if (this.#isClosed) {
          tx.abort();
          return;
        }
        tx.writeAll(this.setup.path, {
          'feature-sg': 1,
          'feature-rx-copy': 1,
          'feature-rx-flip': 0,
          'feature-rx-notify': 1,
          'feature-smart-poll': 0,
          'feature-no-csum-offload': checksumOffload ? 0 : 1,
          'feature-gso-tcpv4': checksumOffload && gso ? 1 : 0,
          'feature-gso-tcpv6': 0,
          'feature-persistent': persistentGrants ? 1 : 0,
          'feature-multicast-control': 0,
          'feature-split-event-channels': splitEventChannels ? 1 : 0,
          'multi-queue-max-queues': maxQueues,
          // The bridge is ours, so there is no script to wait for.
          'hotplug-status': 'connected',
        });
      },
      (error) => {
        if (this.#isClosed) return;
        if (error !== undefined) {
          this.#fail(error.message);
          return;
        }
        this.#switchState(InitWait);
        // Not before: a frontend that is further already is met from state 2 on.
        this.#frontendWatch = this.#kernel.xenstore.watch(
          `${this.setup.frontend}/state`,
          () => this.#readFrontendState(),
          (failed) => this.#fail(failed.message),
        );
      },
    );
  }

  #readFrontendState(): void {
    this.#kernel.xenstore.read(`${this.setup.frontend}/state`, (error, value) => {
      if (this.#isClosed) return;
      // A frontend without a state is gone with its domain.
      this.#frontendChanged(error === undefined ? Number(value) : XenbusState.Unknown);
    });
  }

  #frontendChanged(frontend: number): void {
    switch (frontend) {
      case Initialising:
        this.#setState(InitWait);
        break;
      case Initialised:
        break;
      case Connected:
        this.#setState(Connected);
        break;
      case Closing:
        this.#setState(Closing);
        break;
      case XenbusState.Unknown:
      case Closed:
        this.#setState(Closed);
        break;
      default:
        break;
    }
  }

  /** Goes to a state by the steps that lead there. */
  #setState(target: number): void {
    while (this.#state !== target) {
      switch (this.#state) {
        case Closed:
          this.#switchState(target === Closing ? Closing : InitWait);
          break;
        case Initialising:
        case InitWait:
          if (target === Connected) {
            // Goes on in `#connect`.
            this.#connect();
            return;
          }
          this.#switchState(target === InitWait ? InitWait : Closing);
          break;
        case Connected:
          this.#disconnect();
          this.#switchState(Closing);
          break;
        case Closing:
          this.#switchState(Closed);
          break;
        default:
          return;
      }
    }
  }

  #connect(): void {
    if (this.#mapping !== undefined) return;
    const epoch = ++this.#epoch;
    const { maxQueues } = this.#switchboard.config;
    readFrontend(this.#kernel, this.setup.frontend, maxQueues, (error, nodes) => {
      if (epoch !== this.#epoch || this.#isClosed) return;
      if (error !== undefined || nodes === undefined) this.#fail(error?.message ?? 'the frontend cannot be read');
      else this.#map(nodes);
    });
  }

  #map(nodes: FrontendNodes): void {
    const { domid } = this.setup;
    const { config, scratchAddr } = this.#switchboard;
    try {
      const board = this.#switchboard;
      this.#mapping = new FrontendMapping(this.#kernel, domid, nodes, config, board, scratchAddr, (queue) =>
        board.run(this.port.queues[queue]!),
      );
    } catch (error) {
      this.#fail(`${this.port.name}: ${error instanceof Error ? error.message : error}`);
      return;
    }
    this.port.connect(this.#mapping.rings);
    // The frontend may have posted before we were bound; such events were dropped.
    for (let i = 0; i < this.port.queueCount; i++) this.#switchboard.run(this.port.queues[i]!);
    this.#switchState(Connected);
  }

  #disconnect(): void {
    this.#epoch++;
    this.port.disconnect();
    this.#mapping?.close();
    this.#mapping = undefined;
  }

  #fail(message: string): void {
    this.#disconnect();
    this.#onError(message);
    this.#kernel.xenstore.write(`error/${this.setup.path}/error`, `1 ${message}`);
    if (this.#state !== Closed) this.#switchState(Closing);
  }

  #switchState(state: number): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#kernel.xenstore.write(`${this.setup.path}/state`, `${state}`);
  }
}
