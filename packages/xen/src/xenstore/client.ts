import type { Memory } from '@qanat/bytes';
import { ByteRing } from './byte-ring.ts';
import { areSendablePerms, decodeValue, encodeValue, isSendablePath } from './client-text.ts';
import { XenstoreError } from './error.ts';
import { encodeMessage, MessageReader, MessageWriter, READ_BAD_INDEX, READ_BAD_LENGTH, READ_EMPTY } from './message.ts';
import { type Perms, parsePerms } from './perms.ts';
import { namesNoPath, operationName, splitNames } from './request.ts';
import { runTransaction, type TransactionBody } from './transaction.ts';
import {
  bytesOfLatin1,
  errorCodeOf,
  latin1OfBytes,
  XENSTORE_PAYLOAD_MAX,
  XENSTORE_REQ,
  XENSTORE_REQ_CONS,
  XENSTORE_REQ_PROD,
  XENSTORE_RING_BYTES,
  XENSTORE_RSP,
  XENSTORE_RSP_CONS,
  XENSTORE_RSP_PROD,
  XS_DIRECTORY,
  XS_ERROR,
  XS_GET_DOMAIN_PATH,
  XS_GET_PERMS,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WATCH_EVENT,
  XS_WRITE,
} from './wire.ts';

/** How a client reaches its xenstored. */
export interface XenstoreTransport {
  readonly memory: Memory;
  /** Address of the page shared with xenstored. */
  readonly pageAddr: number;
  /** Sends the event of the connection (EVTCHNOP_send on the xenstore port). */
  notify(): void;
  /** Runs a task soon, outside of the current call (`MainLoop.defer`). */
  defer(task: () => void): void;
}

/** Gets the error, or undefined and a result. Never called from inside the call that was given it. */
export type XenstoreCallback<T> = (error: XenstoreError | undefined, value: T) => void;
export type XenstoreDone = (error: XenstoreError | undefined) => void;

/** A watch that is registered or about to be. */
export interface Watch {
  readonly path: string;
  /** @internal */
  readonly token: string;
  /** False from `unwatch` on: then its callback is not called any more. */
  readonly active: boolean;
}

interface Request {
  readonly type: number;
  readonly path: string;
  readonly answer: (error: XenstoreError | undefined, payload: Uint8Array) => void;
}

interface WatchState extends Watch {
  active: boolean;
  readonly onEvent: (path: string) => void;
}

export interface XenstoreClientOptions {
  /** Requests in flight and queued together; more fail with EBUSY. Default 4096. */
  readonly maxRequests?: number;
}

const NO_BYTES = new Uint8Array(0);
const NOTHING = (): void => {};
/** Messages per pass, so that a talkative server cannot hold the loop. */
const MESSAGES_PER_PASS = 64;

/**
 * A domain's end of xenstore: calls in, callbacks out, no promises. Values are text (UTF-8 on the wire). Paths that do not
 * begin with `/` are relative to the domain's own `/local/domain/N`. Requests wait in a queue while the ring is full;
 * xenstored answers a connection in order.
 *
 * The owner calls `onEvent` for every event of the connection's port.
 */
export class XenstoreClient {
  readonly #transport: XenstoreTransport;
  readonly #requests: ByteRing;
  readonly #responses: ByteRing;
  readonly #reader = new MessageReader();
  readonly #writer = new MessageWriter();
  readonly #pending = new Map<number, Request>();
  readonly #watches = new Map<string, WatchState>();
  readonly #maxRequests: number;
  #nextReqId = 1;
  #nextToken = 1;
  #closed = false;
  /** Messages that were neither an answer to a request of ours nor an event of a watch of ours. */
  strayMessages = 0;

  constructor(transport: XenstoreTransport, options: XenstoreClientOptions = {}) {
    const { memory, pageAddr } = transport;
    this.#transport = transport;
    this.#maxRequests = options.maxRequests ?? 4096;
    this.#requests = new ByteRing(
      memory,
      pageAddr + XENSTORE_REQ,
      XENSTORE_RING_BYTES,
      pageAddr + XENSTORE_REQ_PROD,
      pageAddr + XENSTORE_REQ_CONS,
    );
    this.#responses = new ByteRing(
      memory,
      pageAddr + XENSTORE_RSP,
      XENSTORE_RING_BYTES,
      pageAddr + XENSTORE_RSP_PROD,
      pageAddr + XENSTORE_RSP_CONS,
    );
  }

  /** Requests without an answer. */
  get outstanding(): number {
    return this.#pending.size;
  }

  /** Index into `memory.i32` of the word that changes when xenstored answers. */
  get responseWord(): number {
    return this.#responses.prodWord;
  }

  /** Bytes of answers in the ring that were not looked at; for the sleep auditor. */
  get unreadBytes(): number {
    return this.#closed ? 0 : Math.max(0, this.#responses.available);
  }

  /** The value of a node. Errors: ENOENT, EACCES, EINVAL (bad path). */
  read(path: string, cb: XenstoreCallback<string>, txId = 0): void {
    this.#request(XS_READ, path, '', txId, (error, payload) => cb(error, error ? '' : decodeValue(payload)));
  }

  /** Sets a node, making it and its parents when missing. Errors: EACCES, ENOSPC (quota), EINVAL. */
  write(path: string, value: string, cb: XenstoreDone = NOTHING, txId = 0): void {
    this.#request(XS_WRITE, path, encodeValue(value), txId, (error) => cb(error));
  }

  /** Makes a node with an empty value; one that exists stays as it is. */
  mkdir(path: string, cb: XenstoreDone = NOTHING, txId = 0): void {
    this.#request(XS_MKDIR, path, '', txId, (error) => cb(error));
  }

  /** Removes a node and everything below. Missing is no error where its parent exists. */
  rm(path: string, cb: XenstoreDone = NOTHING, txId = 0): void {
    this.#request(XS_RM, path, '', txId, (error) => cb(error));
  }

  /** The names (not paths) of a node's children. Errors: ENOENT, EACCES, E2BIG (more than 4096 bytes of names). */
  directory(path: string, cb: XenstoreCallback<string[]>, txId = 0): void {
    this.#request(XS_DIRECTORY, path, '', txId, (error, payload) => cb(error, error ? [] : splitNames(payload)));
  }

  /** A node's permissions; the first entry is the owner, whose access is what everybody else may do. */
  getPerms(path: string, cb: XenstoreCallback<Perms>, txId = 0): void {
    this.#request(XS_GET_PERMS, path, '', txId, (error, payload) => {
      const perms = error ? [] : parsePerms(splitNames(payload));
      if (perms === undefined) cb(new XenstoreError('EIO', 'getPerms', path), []);
      else cb(error, perms);
    });
  }

  /** Sets a node's permissions. Only its owner may, and Dom0. */
  setPerms(path: string, perms: Perms, cb: XenstoreDone = NOTHING, txId = 0): void {
    if (!areSendablePerms(perms)) {
      this.#fail(cb, new XenstoreError('EINVAL', 'setPerms', path));
      return;
    }
    const texts = perms.map(({ access, domid }) => `${access}${domid}\0`);
    this.#request(XS_SET_PERMS, path, texts.join(''), txId, (error) => cb(error));
  }

  /**
   * Calls back once at registration (whether or not the node exists), then with the path of every node at or below
   * `path` that was written, made, removed or got other permissions. Paths come back relative when `path` was.
   * `@introduceDomain` and `@releaseDomain` tell Dom0 of domains that come and go.
   * @param onError the registration failed: E2BIG (quota), EINVAL.
   */
  watch(path: string, onEvent: (path: string) => void, onError: (error: XenstoreError) => void = NOTHING): Watch {
    const token = `w${this.#nextToken++}`;
    const watch: WatchState = { path, token, active: true, onEvent };
    this.#watches.set(token, watch);
    this.#request(XS_WATCH, path, `${token}\0`, 0, (error) => {
      if (error === undefined) return;
      watch.active = false;
      this.#watches.delete(token);
      onError(error);
    });
    return watch;
  }

  /** Ends a watch; its callback is not called any more from here on. Twice is harmless. */
  unwatch(watch: Watch, cb: XenstoreDone = NOTHING): void {
    const state = this.#watches.get(watch.token);
    if (state === undefined) {
      this.#transport.defer(() => cb(undefined));
      return;
    }
    state.active = false;
    this.#watches.delete(watch.token);
    this.#request(XS_UNWATCH, watch.path, `${watch.token}\0`, 0, (error) => cb(error));
  }

  /**
   * Runs `body` in a transaction: all that it did happens at once or not at all. The transaction ends by itself when `body`
   * has returned and every operation it started, also from inside callbacks, was answered. An operation without a callback
   * that fails aborts it; `tx.abort()` does, too. When somebody else changed what the transaction looked at, `body` runs
   * again (at most `attempts` times, then EAGAIN), so it must not have effects outside of `tx`.
   */
  transaction(body: TransactionBody, cb: XenstoreDone = NOTHING, attempts = 32): void {
    runTransaction(this, body, cb, attempts);
  }

  /** Reads several nodes; a missing one is undefined. The first other error ends it. */
  readMany(paths: readonly string[], cb: XenstoreCallback<(string | undefined)[]>, txId = 0): void {
    const values = new Array<string | undefined>(paths.length).fill(undefined);
    let left = paths.length;
    let failed: XenstoreError | undefined;
    if (left === 0) this.#transport.defer(() => cb(undefined, values));
    for (const [i, path] of paths.entries()) {
      this.read(
        path,
        (error, value) => {
          if (error === undefined) values[i] = value;
          else if (error.code !== 'ENOENT') failed ??= error;
          if (--left === 0) cb(failed, values);
        },
        txId,
      );
    }
  }

  /**
   * Watches a node until `predicate` likes its value (undefined: it is missing), then calls back once.
   * @returns a way to give up: then the callback is not called.
   */
  waitFor(
    path: string,
    predicate: (value: string | undefined) => boolean,
    cb: XenstoreCallback<string | undefined>,
  ): { cancel(): void } {
    let over = false;
    const finish = (error: XenstoreError | undefined, value: string | undefined): void => {
      if (over) return;
      over = true;
      this.unwatch(watch);
      cb(error, value);
    };
    const look = (): void => {
      this.read(path, (error, value) => {
        if (over) return;
        if (error !== undefined && error.code !== 'ENOENT') finish(error, undefined);
        else {
          const now = error === undefined ? value : undefined;
          if (predicate(now)) finish(undefined, now);
        }
      });
    };
    const watch = this.watch(path, look, (error) => finish(error, undefined));
    return {
      cancel: () => {
        if (over) return;
        over = true;
        this.unwatch(watch);
      },
    };
  }

  /** `/local/domain/N` of a domain. */
  getDomainPath(domid: number, cb: XenstoreCallback<string>): void {
    this.#request(XS_GET_DOMAIN_PATH, `${domid}`, '', 0, (error, payload) => {
      cb(error, error ? '' : latin1OfBytes(payload).replace(/\0$/, ''));
    });
  }

  /** Dom0 only: tells xenstored of a domain's page and event channel. */
  introduce(domid: number, frame: number, port: number, cb: XenstoreDone = NOTHING): void {
    this.#request(XS_INTRODUCE, `${domid}`, `${frame}\0${port}\0`, 0, (error) => cb(error));
  }

  /** Dom0 only: tells xenstored that a domain is gone. */
  releaseDomain(domid: number, cb: XenstoreDone = NOTHING): void {
    this.#request(XS_RELEASE, `${domid}`, '', 0, (error) => cb(error));
  }

  isDomainIntroduced(domid: number, cb: XenstoreCallback<boolean>): void {
    this.#request(XS_IS_DOMAIN_INTRODUCED, `${domid}`, '', 0, (error, payload) => cb(error, payload[0] === 0x54));
  }

  /** @internal */
  startTransaction(cb: XenstoreCallback<number>): void {
    this.#request(XS_TRANSACTION_START, '', '', 0, (error, payload) => {
      const txId = error ? 0 : Number(latin1OfBytes(payload).replace(/\0$/, ''));
      if (error === undefined && !(txId > 0)) cb(new XenstoreError('EIO', 'transaction', ''), 0);
      else cb(error, txId);
    });
  }

  /** @internal */
  endTransaction(txId: number, commit: boolean, cb: XenstoreDone): void {
    this.#request(XS_TRANSACTION_END, commit ? 'T' : 'F', '', txId, (error) => cb(error));
  }

  /** Reads what has come and writes what had no room. Call it for every event; spurious ones cost nothing. */
  onEvent(): void {
    if (this.#closed) return;
    this.#reader.producerWaits = false;
    let messages = 0;
    for (; messages < MESSAGES_PER_PASS; messages++) {
      const message = this.#reader.read(this.#responses);
      if (message === READ_EMPTY) break;
      if (message === READ_BAD_INDEX || message === READ_BAD_LENGTH) {
        this.close();
        return;
      }
      if (message.type === XS_WATCH_EVENT) this.#watchEvent(message.payload);
      else this.#answer(message.type, message.reqId, message.payload);
      if (this.#closed) return;
    }
    const written = this.#writer.flush(this.#requests);
    if (written > 0 || this.#reader.producerWaits) this.#transport.notify();
    if (messages === MESSAGES_PER_PASS) this.#transport.defer(() => this.onEvent());
  }

  /** Ends the connection: everything outstanding fails with EIO, later requests too. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#watches.clear();
    this.#writer.clear();
    for (const { path, answer } of pending) answer(new XenstoreError('EIO', 'close', path), NO_BYTES);
  }

  #request(type: number, path: string, rest: string, txId: number, answer: Request['answer']): void {
    const operation = operationName(type);
    const bad = !namesNoPath(type) && !isSendablePath(path);
    const payload = bytesOfLatin1(`${path}\0${rest}`);
    if (bad || payload.length > XENSTORE_PAYLOAD_MAX) this.#fail(answer, new XenstoreError('EINVAL', operation, path));
    else if (this.#closed) this.#fail(answer, new XenstoreError('EIO', operation, path));
    else if (this.#pending.size >= this.#maxRequests) this.#fail(answer, new XenstoreError('EBUSY', operation, path));
    else {
      let reqId = this.#nextReqId;
      while (this.#pending.has(reqId)) reqId = (reqId + 1) >>> 0 || 1;
      this.#nextReqId = (reqId + 1) >>> 0 || 1;
      this.#pending.set(reqId, { type, path, answer });
      this.#writer.push(encodeMessage(type, reqId, txId, payload));
      if (this.#writer.flush(this.#requests) > 0) this.#transport.notify();
    }
  }

  #fail(answer: (error: XenstoreError, payload: Uint8Array) => void, error: XenstoreError): void {
    this.#transport.defer(() => answer(error, NO_BYTES));
  }

  #answer(type: number, reqId: number, payload: Uint8Array): void {
    const request = this.#pending.get(reqId);
    if (request === undefined) {
      this.strayMessages++;
      return;
    }
    this.#pending.delete(reqId);
    const operation = operationName(request.type);
    if (type === request.type) request.answer(undefined, payload);
    else {
      const code = type === XS_ERROR ? errorCodeOf(latin1OfBytes(payload).replace(/\0$/, '')) : 'EIO';
      request.answer(new XenstoreError(code, operation, request.path), NO_BYTES);
    }
  }

  #watchEvent(payload: Uint8Array): void {
    const [path, token] = splitNames(payload);
    const watch = token === undefined ? undefined : this.#watches.get(token);
    if (watch?.active && path !== undefined) watch.onEvent(path);
    else this.strayMessages++;
  }
}
