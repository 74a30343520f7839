import { splitPath } from './path.ts';
import type { Caller } from './permissions.ts';
import { type AccessLog, generationAt, Store } from './store.ts';
import { lookup, type StoreNode } from './tree.ts';
import type { XenstoreErrorCode } from './wire.ts';

/** A change that a transaction will make: done once on its own view and once more at the end, on the real store. */
export type Operation = (store: Store) => XenstoreErrorCode | undefined;

/**
 * A client's transaction: it sees the store as it was at the start and its own changes. It can be committed if what it
 * looked at is still the same; then its changes are made again on the store of now, so that others who changed other
 * nodes meanwhile lose nothing.
 */
export class ServerTransaction implements AccessLog {
  readonly view: Store;
  readonly #base: StoreNode;
  readonly #maxNodes: number;
  readonly #touched = new Set<string>();
  readonly #subtrees = new Set<string>();
  readonly #operations: Operation[] = [];

  constructor(store: Store) {
    this.#base = store.root;
    this.#maxNodes = store.quotas.transactionNodes;
    this.view = new Store(store.quotas, store, this);
  }

  touch(path: string): boolean {
    this.#touched.add(path);
    return this.#touched.size + this.#subtrees.size <= this.#maxNodes;
  }

  touchSubtree(path: string): boolean {
    this.#subtrees.add(path);
    return this.#touched.size + this.#subtrees.size <= this.#maxNodes;
  }

  /** Makes a change on the transaction's view. */
  apply(operation: Operation, caller: Caller): XenstoreErrorCode | undefined {
    if (!caller.privileged && this.#operations.length >= this.#maxNodes) return 'ENOSPC';
    const error = operation(this.view);
    if (error === undefined) this.#operations.push(operation);
    return error;
  }

  /**
   * Makes the changes on the store, all or none.
   * @returns EAGAIN when somebody changed what the transaction had looked at; ENOSPC for a quota.
   */
  commit(store: Store): XenstoreErrorCode | undefined {
    // A snapshot that was only read needs no proof.
    if (this.#operations.length === 0) return undefined;
    for (const path of this.#touched) {
      if (generationAt(store.root, path) !== generationAt(this.#base, path)) return 'EAGAIN';
    }
    for (const path of this.#subtrees) {
      const parts = splitPath(path);
      if (lookup(store.root, parts) !== lookup(this.#base, parts)) return 'EAGAIN';
    }
    return store.attempt(this.#operations);
  }
}
