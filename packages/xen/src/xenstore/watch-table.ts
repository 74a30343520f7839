import type { Connection, ServerWatch } from './connection.ts';
import { watchKey } from './connection.ts';
import { domainPath, splitPath } from './path.ts';
import { mayRead } from './permissions.ts';
import type { Perms } from './perms.ts';
import type { Change } from './store.ts';
import { lookup } from './tree.ts';

/** All watches, by the path that they watch. */
export class WatchTable {
  readonly #byPath = new Map<string, Set<ServerWatch>>();
  /** Connections that got events since this was last cleared. */
  readonly touched = new Set<Connection>();

  /** Registers a watch and queues its first event. */
  add(connection: Connection, path: string, wirePath: string, token: string): void {
    const watch: ServerWatch = { connection, path, wirePath, token, queued: new Set() };
    connection.watches.set(watchKey(wirePath, token), watch);
    let watches = this.#byPath.get(path);
    if (watches === undefined) {
      watches = new Set();
      this.#byPath.set(path, watches);
    }
    watches.add(watch);
    connection.event(watch, wirePath);
    this.touched.add(connection);
  }

  remove(watch: ServerWatch): void {
    watch.connection.watches.delete(watchKey(watch.wirePath, watch.token));
    const watches = this.#byPath.get(watch.path);
    watches?.delete(watch);
    if (watches?.size === 0) this.#byPath.delete(watch.path);
  }

  removeAll(connection: Connection): void {
    for (const watch of [...connection.watches.values()]) this.remove(watch);
  }

  /** Queues events for everybody who watches the changed node, one above it, or one that went with it. */
  fire({ path, perms, permsBefore, removed }: Change): void {
    this.#fireAt('/', path, perms, permsBefore);
    for (let end = path.indexOf('/', 1); end !== -1; end = path.indexOf('/', end + 1)) {
      this.#fireAt(path.slice(0, end), path, perms, permsBefore);
    }
    if (path !== '/') this.#fireAt(path, path, perms, permsBefore);
    if (removed === undefined || removed.children.size === 0) return;
    for (const below of this.#byPath.keys()) {
      if (!below.startsWith(`${path}/`)) continue;
      const node = lookup(removed, splitPath(below.slice(path.length)));
      if (node !== undefined) this.#fireAt(below, below, node.perms, node.perms);
    }
  }

  /** Queues events of `@introduceDomain` or `@releaseDomain`. */
  fireSpecial(path: string, perms: Perms): void {
    this.#fireAt(path, path, perms, perms);
  }

  #fireAt(watched: string, path: string, perms: Perms, permsBefore: Perms): void {
    const watches = this.#byPath.get(watched);
    if (watches === undefined) return;
    for (const watch of watches) {
      const { connection } = watch;
      if (!mayRead(perms, connection.caller) && !mayRead(permsBefore, connection.caller)) continue;
      connection.event(watch, wirePathOf(watch, path));
      this.touched.add(connection);
    }
  }
}

/** Who watches a relative path hears relative paths. */
function wirePathOf({ wirePath, connection }: ServerWatch, path: string): string {
  if (wirePath.startsWith('/') || wirePath.startsWith('@')) return path;
  return path.slice(domainPath(connection.caller.domid).length + 1);
}
