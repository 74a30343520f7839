import { domainPath, splitPath } from './path.ts';
import { type Caller, DOM0_ONLY, inheritedPerms, isOwner, mayRead, mayWrite, permsWithout } from './permissions.ts';
import type { Perms } from './perms.ts';
import type { XenstoreQuotas } from './quota.ts';
import { deepest, leaf, lookup, replace, type StoreNode, visit } from './tree.ts';
import type { XenstoreErrorCode } from './wire.ts';

/** Something that watchers want to hear of. */
export interface Change {
  readonly path: string;
  /** Who may hear of it: whom these permissions let read ... */
  readonly perms: Perms;
  /** ... or these, from before. */
  readonly permsBefore: Perms;
  /** The subtree that is gone. */
  readonly removed: StoreNode | undefined;
}

/** What a transaction notes of its accesses. @returns false when it has too many. */
export interface AccessLog {
  touch(path: string): boolean;
  touchSubtree(path: string): boolean;
}

/**
 * The tree and what may be done with it: one state of the store, the real one or a transaction's own. Every operation
 * answers with an error code or does all of its job.
 */
export class Store {
  root: StoreNode;
  readonly quotas: XenstoreQuotas;
  /** Nodes by owner. */
  owned: Map<number, number>;
  readonly #log: AccessLog | undefined;
  #changes: Change[] = [];
  #generation: number;

  /** @param from the state to start with; none: an empty tree. @param log makes it a transaction's view. */
  constructor(quotas: XenstoreQuotas, from?: Store, log?: AccessLog) {
    this.quotas = quotas;
    this.#log = log;
    this.root = from?.root ?? leaf('', DOM0_ONLY, 1);
    this.owned = new Map(from?.owned ?? [[0, 1]]);
    this.#generation = from === undefined ? 1 : from.#generation;
  }

  /** What has changed since it was last asked. */
  takeChanges(): readonly Change[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /**
   * Does all of the operations or none.
   * @returns the error of the first that could not be done. EACCES becomes EAGAIN: it was allowed a moment ago.
   */
  attempt(operations: readonly ((store: Store) => XenstoreErrorCode | undefined)[]): XenstoreErrorCode | undefined {
    const { root } = this;
    const owned = new Map(this.owned);
    const changes = this.#changes.length;
    for (const operation of operations) {
      const error = operation(this);
      if (error === undefined) continue;
      this.root = root;
      this.owned = owned;
      this.#changes.length = changes;
      return error === 'ENOSPC' ? error : 'EAGAIN';
    }
    return undefined;
  }

  /** The node, if `caller` may read it. */
  read(path: string, caller: Caller): StoreNode | XenstoreErrorCode {
    if (!this.#touch(path, caller)) return 'ENOSPC';
    const parts = splitPath(path);
    const { depth, node } = deepest(this.root, parts);
    // Who may not read the closest existing ancestor is not told whether a node exists.
    if (!mayRead(node.perms, caller)) return 'EACCES';
    return depth === parts.length ? node : 'ENOENT';
  }

  write(path: string, value: string, caller: Caller): XenstoreErrorCode | undefined {
    return this.#put(path, value, caller);
  }

  mkdir(path: string, caller: Caller): XenstoreErrorCode | undefined {
    return this.#put(path, undefined, caller);
  }

  rm(path: string, caller: Caller): XenstoreErrorCode | undefined {
    const parts = splitPath(path);
    if (parts.length === 0) return 'EINVAL';
    if (this.#log?.touchSubtree(path) === false && !caller.privileged) return 'ENOSPC';
    const { depth, node } = deepest(this.root, parts);
    if (!mayWrite(node.perms, caller)) return 'EACCES';
    // That it is not there is what the caller wanted; without a parent it is asking for nonsense.
    if (depth < parts.length) return depth === parts.length - 1 ? undefined : 'ENOENT';
    this.root = replace(this.root, parts, undefined, ++this.#generation);
    visit(node, ({ perms }) => this.#count(perms, -1));
    this.#changed({ path, perms: node.perms, permsBefore: node.perms, removed: node });
    return undefined;
  }

  setPerms(path: string, perms: Perms, caller: Caller): XenstoreErrorCode | undefined {
    if (!this.#touch(path, caller)) return 'ENOSPC';
    const parts = splitPath(path);
    const { depth, node } = deepest(this.root, parts);
    if (depth < parts.length) return mayWrite(node.perms, caller) ? 'ENOENT' : 'EACCES';
    if (!isOwner(node.perms, caller)) return 'EACCES';
    if (!caller.privileged) {
      if (perms[0]?.domid !== node.perms[0]?.domid) return 'EPERM';
      if (perms.length > this.quotas.permsPerNode || sizeOf(node, node.value, perms) > this.quotas.nodeBytes) {
        return 'ENOSPC';
      }
    }
    this.#count(node.perms, -1);
    this.#count(perms, 1);
    this.root = replace(this.root, parts, { ...node, perms, generation: ++this.#generation }, this.#generation);
    this.#changed({ path, perms, permsBefore: node.perms, removed: undefined });
    return undefined;
  }

  /** A domain is gone: what it owned goes, and nobody else's node names it, for another may get its number. */
  forget(domid: number): void {
    const caller: Caller = { domid: 0, privileged: true };
    const stack: { path: string; node: StoreNode }[] = [{ path: '/', node: this.root }];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { path, node } = next;
      const perms = permsWithout(node.perms, domid);
      if (perms === undefined && path !== '/') this.rm(path, caller);
      else {
        if (perms !== node.perms) this.setPerms(path, perms ?? DOM0_ONLY, caller);
        const prefix = path === '/' ? '' : path;
        for (const [name, child] of node.children) stack.push({ path: `${prefix}/${name}`, node: child });
      }
    }
    this.owned.delete(domid);
  }

  #put(path: string, value: string | undefined, caller: Caller): XenstoreErrorCode | undefined {
    if (!this.#touch(path, caller)) return 'ENOSPC';
    const parts = splitPath(path);
    const { depth, node } = deepest(this.root, parts);
    if (!mayWrite(node.perms, caller)) return 'EACCES';
    if (depth === parts.length) {
      if (value === undefined) return undefined;
      if (!caller.privileged && sizeOf(node, value, node.perms) > this.quotas.nodeBytes) return 'ENOSPC';
      this.root = replace(this.root, parts, { ...node, value, generation: ++this.#generation }, this.#generation);
      this.#changed({ path, perms: node.perms, permsBefore: node.perms, removed: undefined });
      return undefined;
    }
    const perms = inheritedPerms(node.perms, caller);
    const missing = parts.length - depth;
    if (!caller.privileged) {
      const owned = this.owned.get(caller.domid) ?? 0;
      if (owned + missing > this.quotas.nodes) return 'ENOSPC';
      if (sizeOf(node, node.value, node.perms) + parts[depth]!.length + 1 > this.quotas.nodeBytes) return 'ENOSPC';
      const largest = leaf(value ?? '', perms, 0);
      if (sizeOf(largest, largest.value, perms) > this.quotas.nodeBytes) return 'ENOSPC';
    }
    const generation = ++this.#generation;
    let made = leaf(value ?? '', perms, generation);
    for (let i = parts.length - 1; i > depth; i--) {
      made = { ...leaf('', perms, generation), children: new Map([[parts[i]!, made]]) };
    }
    this.root = replace(this.root, parts.slice(0, depth + 1), made, generation);
    this.#count(perms, missing);
    this.#changed({ path, perms, permsBefore: perms, removed: undefined });
    return undefined;
  }

  #touch(path: string, caller: Caller): boolean {
    return this.#log === undefined || this.#log.touch(path) || caller.privileged;
  }

  #changed(change: Change): void {
    if (this.#log === undefined) this.#changes.push(change);
  }

  #count(perms: Perms, nodes: number): void {
    const owner = perms[0]?.domid ?? 0;
    const owned = (this.owned.get(owner) ?? 0) + nodes;
    if (owned === 0) this.owned.delete(owner);
    else this.owned.set(owner, owned);
  }
}

/** @returns the generation of a node, 0 where there is none. */
export function generationAt(root: StoreNode, path: string): number {
  return lookup(root, splitPath(path))?.generation ?? 0;
}

/** The tree with which a machine starts: where domains live, and xenstored's sign of life. */
export function firstTree(store: Store): void {
  const caller: Caller = { domid: 0, privileged: true };
  store.mkdir('/tool/xenstored', caller);
  store.mkdir(domainPath(0), caller);
}

function sizeOf(node: StoreNode, value: string, perms: Perms): number {
  let bytes = value.length + 4 * perms.length;
  for (const name of node.children.keys()) bytes += name.length + 1;
  return bytes;
}
