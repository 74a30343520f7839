import type { Memory } from '@qanat/bytes';
import { ByteRing, RING_BROKEN } from './byte-ring.ts';
import {
  encodeMessage,
  MessageReader,
  MessageWriter,
  READ_BAD_INDEX,
  READ_BAD_LENGTH,
  READ_EMPTY,
  type XenstoreMessage,
} from './message.ts';
import type { Caller } from './permissions.ts';
import type { XenstoreQuotas } from './quota.ts';
import type { ServerTransaction } from './server-transaction.ts';
import {
  bytesOfLatin1,
  XENSTORE_CONNECTED,
  XENSTORE_CONNECTION,
  XENSTORE_ERROR,
  XENSTORE_ERROR_NONE,
  XENSTORE_ERROR_PROTO,
  XENSTORE_ERROR_RINGIDX,
  XENSTORE_RECONNECT,
  XENSTORE_REQ,
  XENSTORE_REQ_CONS,
  XENSTORE_REQ_PROD,
  XENSTORE_RING_BYTES,
  XENSTORE_RSP,
  XENSTORE_RSP_CONS,
  XENSTORE_RSP_PROD,
  XENSTORE_SERVER_FEATURE_ERROR,
  XENSTORE_SERVER_FEATURE_RECONNECTION,
  XENSTORE_SERVER_FEATURES,
  XS_WATCH_EVENT,
} from './wire.ts';

/** A page that xenstored shares with a client, and how to wake the client. */
export interface ConnectionOptions {
  readonly memory: Memory;
  readonly pageAddr: number;
  /** Whose rights the client has. */
  readonly domid: number;
  notify(): void;
}

/** A client's watch. */
export interface ServerWatch {
  readonly connection: Connection;
  /** Absolute, or one of the special paths. */
  readonly path: string;
  /** As the client wrote it. */
  readonly wirePath: string;
  readonly token: string;
  /** Paths of events that wait for room in the ring. */
  readonly queued: Set<string>;
}

/** Dom0's own events are many and few can be spared. */
const PRIVILEGED_EVENTS_PER_WATCH = 4096;

/**
 * xenstored's end of one client. What a client can make it hold is bounded: one request in parts, the answer to one
 * request, and per watch a few events. A client that breaks the protocol is not listened to any more, until it asks
 * for a reconnection as in docs/misc/xenstore-ring.txt.
 */
export class Connection {
  readonly caller: Caller;
  readonly watches = new Map<string, ServerWatch>();
  readonly transactions = new Map<number, ServerTransaction>();
  readonly pageAddr: number;
  /** True once the client broke the protocol. */
  ignored = false;
  readonly #memory: Memory;
  readonly #notify: () => void;
  readonly #requests: ByteRing;
  readonly #responses: ByteRing;
  readonly #reader = new MessageReader();
  readonly #writer = new MessageWriter();
  readonly #eventsPerWatch: number;
  #events: { watch: ServerWatch; path: string }[] = [];
  #nextTransaction = 1;
  #news = false;

  constructor({ memory, pageAddr, domid, notify }: ConnectionOptions, quotas: XenstoreQuotas) {
    this.caller = { domid, privileged: domid === 0 };
    this.pageAddr = pageAddr;
    this.#memory = memory;
    this.#notify = notify;
    this.#eventsPerWatch = domid === 0 ? PRIVILEGED_EVENTS_PER_WATCH : quotas.eventsPerWatch;
    const ring = (data: number, prod: number, cons: number): ByteRing =>
      new ByteRing(memory, pageAddr + data, XENSTORE_RING_BYTES, pageAddr + prod, pageAddr + cons);
    this.#requests = ring(XENSTORE_REQ, XENSTORE_REQ_PROD, XENSTORE_REQ_CONS);
    this.#responses = ring(XENSTORE_RSP, XENSTORE_RSP_PROD, XENSTORE_RSP_CONS);
    this.#store(XENSTORE_SERVER_FEATURES, XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR);
    this.#store(XENSTORE_ERROR, XENSTORE_ERROR_NONE);
  }

  /** Bytes of requests in the ring; for the sleep auditor. */
  get unreadBytes(): number {
    return this.ignored || this.#writer.length > 0 ? 0 : Math.max(0, this.#requests.available);
  }

  /** Whether the client asks to start over. */
  get wantsReconnect(): boolean {
    return Atomics.load(this.#memory.i32, (this.pageAddr + XENSTORE_CONNECTION) >>> 2) === XENSTORE_RECONNECT;
  }

  /** The next request, if it has come whole and the client took the answers to those before. */
  next(): XenstoreMessage | undefined {
    if (this.ignored || this.#writer.length > 0) return undefined;
    const message = this.#reader.read(this.#requests);
    if (message === READ_BAD_INDEX) this.#ignore(XENSTORE_ERROR_RINGIDX);
    else if (message === READ_BAD_LENGTH) this.#ignore(XENSTORE_ERROR_PROTO);
    else if (message !== READ_EMPTY) return message;
    return undefined;
  }

  /** Answers a request. */
  reply(type: number, { reqId, txId }: XenstoreMessage, payload: string): void {
    this.#writer.push(encodeMessage(type, reqId, txId, bytesOfLatin1(payload)));
  }

  /** Queues an event of one of its watches. Beyond the quota, events become one for the watched path itself. */
  event(watch: ServerWatch, path: string): void {
    if (this.ignored || watch.queued.has(path)) return;
    const queuedPath = watch.queued.size < this.#eventsPerWatch ? path : watch.wirePath;
    if (watch.queued.has(queuedPath)) return;
    watch.queued.add(queuedPath);
    this.#events.push({ watch, path: queuedPath });
  }

  /**
   * Writes what the ring has room for. Requests are read only when nothing is left, so no event waits here when its watch
   * is taken back. `wake` has to follow, once per batch.
   */
  flush(): void {
    if (this.ignored) return;
    let taken = 0;
    for (;;) {
      const written = this.#writer.flush(this.#responses);
      if (written === RING_BROKEN) {
        this.#ignore(XENSTORE_ERROR_RINGIDX);
        return;
      }
      if (written > 0) this.#news = true;
      if (this.#writer.length > 0 || taken === this.#events.length) break;
      const { watch, path } = this.#events[taken++]!;
      watch.queued.delete(path);
      this.#writer.push(encodeMessage(XS_WATCH_EVENT, 0, 0, bytesOfLatin1(`${path}\0${watch.token}\0`)));
    }
    if (taken > 0) this.#events = this.#events.slice(taken);
  }

  /** Sends the client an event if there is something new for it: answers, or room for requests. */
  wake(): void {
    if (!this.#news && !this.#reader.producerWaits) return;
    this.#news = false;
    this.#reader.producerWaits = false;
    this.#notify();
  }

  /** @returns an id that no open transaction of this client has. */
  newTransactionId(): number {
    let id = this.#nextTransaction;
    while (id === 0 || this.transactions.has(id)) id = (id + 1) >>> 0;
    this.#nextTransaction = (id + 1) >>> 0;
    return id;
  }

  /** Starts over: empty rings, nothing half-read, nothing queued. Watches and transactions are the caller's to drop. */
  reconnect(): void {
    this.#drop();
    for (const offset of [XENSTORE_REQ_CONS, XENSTORE_REQ_PROD, XENSTORE_RSP_CONS, XENSTORE_RSP_PROD]) {
      this.#store(offset, 0);
    }
    this.ignored = false;
    this.#store(XENSTORE_ERROR, XENSTORE_ERROR_NONE);
    this.#store(XENSTORE_CONNECTION, XENSTORE_CONNECTED);
    this.#news = true;
  }

  #ignore(error: number): void {
    this.ignored = true;
    this.#drop();
    this.#store(XENSTORE_ERROR, error);
    this.#news = true;
  }

  #drop(): void {
    this.#reader.reset();
    this.#writer.clear();
    this.#events = [];
  }

  #store(offset: number, value: number): void {
    Atomics.store(this.#memory.i32, (this.pageAddr + offset) >>> 2, value);
  }
}

/** Clients tell their watches apart by path and token. */
export function watchKey(wirePath: string, token: string): string {
  return `${wirePath}\0${token}`;
}
