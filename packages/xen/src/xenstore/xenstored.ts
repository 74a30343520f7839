import { type Memory, PAGE_SHIFT } from '@qanat/bytes';
import { VIRQ_DOM_EXC } from '../event-channel-layout.ts';
import { GNTTAB_RESERVED_XENSTORE } from '../grant-layout.ts';
import type { Hypercalls } from '../hypercalls.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { type DomainTable, Operations } from './operations.ts';
import { INTRODUCE_DOMAIN, RELEASE_DOMAIN } from './path.ts';
import { DEFAULT_QUOTAS, type XenstoreQuotas } from './quota.ts';
import { firstTree, Store } from './store.ts';
import { WatchTable } from './watch-table.ts';
import { XENSTORE_RSP_PROD, type XenstoreErrorCode } from './wire.ts';

/** What xenstored needs of the kernel that it runs in; a `Kernel` of @qanat/os is one. */
export interface XenstoredHost {
  readonly memory: Memory;
  readonly hypercalls: Hypercalls;
  readonly activations: { bind(port: number, handler: () => void): void; unbind(port: number): void };
  readonly loop: { defer(task: () => void): void };
}

/** Where xenstored finds the toolstack, which has no domain: part of the arguments of Dom0's image. */
export interface ToolstackLink {
  /** A xenstore page. The toolstack waits on its rsp_prod word, by Atomics.wait or waitAsync. */
  readonly pageAddr: number;
  /** The port of Dom0 that the toolstack sends events to. */
  readonly port: number;
}

/** A connection that is served. */
export interface ServedConnection {
  /** Looks at the rings: for every event of the connection. */
  onEvent(): void;
  /** Forgets the client: its watches and transactions. */
  close(): void;
}

interface Domain {
  readonly domid: number;
  readonly frame: number;
  readonly connection: Connection;
  readonly handle: number;
  port: number;
  /** Has told the hypervisor that it ends, and watchers know. */
  shutDown: boolean;
}

/** Requests of one client before the others get their turn. */
const REQUESTS_PER_TURN = 32;

/**
 * The xenstore daemon. It runs in Dom0, on events only: a domain's event makes it read that domain's ring, answer, and
 * queue the watch events that follow. Clients are hostile: what they send is checked, what they can make it hold has
 * quotas, how long they can keep it busy is bounded, and nothing that they do throws.
 */
export class Xenstored implements DomainTable {
  readonly #host: XenstoredHost;
  readonly #store: Store;
  readonly #watches = new WatchTable();
  readonly #operations: Operations;
  readonly #connections = new Set<Connection>();
  readonly #domains = new Map<number, Domain>();
  readonly #deferred = new Set<Connection>();

  constructor(host: XenstoredHost, quotas: Partial<XenstoreQuotas> = {}) {
    this.#host = host;
    this.#store = new Store({ ...DEFAULT_QUOTAS, ...quotas });
    this.#operations = new Operations(this.#store, this.#watches, this);
    firstTree(this.#store);
    this.#store.takeChanges();
  }

  /**
   * Runs xenstored in Dom0: serves Dom0's own page and the toolstack, and watches over the domains' ends.
   * @param toolstack where the toolstack is; undefined: there is none.
   * @throws Error when `host` is not Dom0, or has a xenstored already.
   */
  static start(host: XenstoredHost, toolstack?: ToolstackLink, quotas: Partial<XenstoreQuotas> = {}): Xenstored {
    const { hypercalls, activations, memory } = host;
    const xenstored = new Xenstored(host, quotas);
    const dom0 = hypercalls.hypervisor.domain(0);
    const error =
      dom0 === undefined || hypercalls.domid !== 0
        ? 'EPERM'
        : xenstored.introduce(0, dom0.xenstoreAddr >>> PAGE_SHIFT, dom0.xenstorePort);
    if (error !== undefined) throw new Error(`xenstored cannot serve domain ${hypercalls.domid}: ${error}`);
    const virqPort = hypercalls.evtchnBindVirq(VIRQ_DOM_EXC);
    if (virqPort > 0) activations.bind(virqPort, () => xenstored.#lookAtDomains());
    if (toolstack !== undefined) {
      const { pageAddr, port } = toolstack;
      const word = (pageAddr + XENSTORE_RSP_PROD) >>> 2;
      const link = xenstored.connect({
        memory,
        pageAddr,
        domid: 0,
        notify: () => void Atomics.notify(memory.i32, word),
      });
      activations.bind(port, () => link.onEvent());
    }
    return xenstored;
  }

  /** Requests that wait in the rings, in bytes; not 0 at a sleep is a lost event. For the sleep auditor. */
  get unreadBytes(): number {
    let bytes = 0;
    for (const connection of this.#connections) bytes += connection.unreadBytes;
    return bytes;
  }

  /** Serves a page whose events the caller brings: a client in Dom0, or the toolstack. */
  connect(options: ConnectionOptions): ServedConnection {
    const connection = new Connection(options, this.#store.quotas);
    this.#connections.add(connection);
    return { onEvent: () => this.#serve(connection), close: () => this.#drop(connection) };
  }

  /**
   * INTRODUCE: maps a domain's page by its grant, binds its port and serves it. Once more with the same frame, it binds
   * the new port.
   */
  introduce(domid: number, frame: number, port: number): XenstoreErrorCode | undefined {
    const { hypercalls, memory } = this.#host;
    const known = this.#domains.get(domid);
    if (known !== undefined && known.frame !== frame) return 'EINVAL';
    const local = hypercalls.evtchnBindInterdomain(domid, port);
    if (local < 0) return 'EINVAL';
    if (known !== undefined) {
      this.#unbind(known.port);
      known.port = local;
      this.#bind(known);
      return undefined;
    }
    const { status, handle, addr } = hypercalls.grantMap(domid, GNTTAB_RESERVED_XENSTORE, false);
    if (status !== 0 || addr >>> PAGE_SHIFT !== frame) {
      if (status === 0) hypercalls.grantUnmap(handle);
      hypercalls.evtchnClose(local);
      return 'EINVAL';
    }
    const notify = (): void => void hypercalls.evtchnSend(domain.port);
    const connection = new Connection({ memory, pageAddr: addr, domid, notify }, this.#store.quotas);
    const domain: Domain = { domid, frame, connection, handle, port: local, shutDown: false };
    this.#domains.set(domid, domain);
    this.#connections.add(connection);
    this.#bind(domain);
    this.#fireSpecial(INTRODUCE_DOMAIN);
    return undefined;
  }

  /** RELEASE: the domain is gone. Everything that it owned goes with it. */
  release(domid: number): XenstoreErrorCode | undefined {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return 'ENOENT';
    this.#domains.delete(domid);
    this.#drop(domain.connection);
    this.#unbind(domain.port);
    this.#host.hypercalls.grantUnmap(domain.handle);
    if (domid !== 0) this.#store.forget(domid);
    this.#fireSpecial(RELEASE_DOMAIN);
    return undefined;
  }

  isIntroduced(domid: number): boolean {
    return this.#domains.has(domid);
  }

  #bind({ port, connection }: Domain): void {
    this.#host.activations.bind(port, () => this.#serve(connection));
  }

  #unbind(port: number): void {
    this.#host.activations.unbind(port);
    this.#host.hypercalls.evtchnClose(port);
  }

  #serve(connection: Connection): void {
    if (!this.#connections.has(connection)) return;
    if (connection.wantsReconnect) {
      this.#forget(connection);
      connection.reconnect();
    }
    // First what waits for room: requests are not read before their predecessors' answers are out.
    connection.flush();
    let requests = 0;
    while (requests < REQUESTS_PER_TURN) {
      const message = connection.next();
      if (message === undefined) break;
      requests++;
      this.#operations.handle(connection, message);
      for (const change of this.#store.takeChanges()) this.#watches.fire(change);
      connection.flush();
    }
    if (connection.ignored) this.#forget(connection);
    connection.wake();
    this.#deliver();
    if (requests === REQUESTS_PER_TURN) this.#serveLater(connection);
  }

  #serveLater(connection: Connection): void {
    if (this.#deferred.has(connection)) return;
    this.#deferred.add(connection);
    this.#host.loop.defer(() => {
      this.#deferred.delete(connection);
      this.#serve(connection);
    });
  }

  /** Sends out the watch events that were queued. */
  #deliver(): void {
    for (const connection of this.#watches.touched) {
      connection.flush();
      connection.wake();
    }
    this.#watches.touched.clear();
  }

  #fireSpecial(path: string): void {
    for (const change of this.#store.takeChanges()) this.#watches.fire(change);
    this.#watches.fireSpecial(path, this.#operations.specialPerms(path));
    this.#deliver();
  }

  /** VIRQ_DOM_EXC: some domain has ended. */
  #lookAtDomains(): void {
    const { hypervisor } = this.#host.hypercalls;
    for (const domain of [...this.#domains.values()]) {
      const record = hypervisor.domain(domain.domid);
      if (record?.state !== 'alive') this.release(domain.domid);
      else if (record.shutdownReason >= 0 && !domain.shutDown) {
        domain.shutDown = true;
        this.#fireSpecial(RELEASE_DOMAIN);
      }
    }
  }

  #drop(connection: Connection): void {
    this.#forget(connection);
    this.#connections.delete(connection);
  }

  #forget(connection: Connection): void {
    this.#watches.removeAll(connection);
    connection.transactions.clear();
  }
}
