import { type Connection, watchKey } from './connection.ts';
import type { XenstoreMessage } from './message.ts';
import { domainPath, INTRODUCE_DOMAIN, RELEASE_DOMAIN, resolvePath } from './path.ts';
import { DOM0_ONLY } from './permissions.ts';
import { formatPerms, type Perms, parsePerms } from './perms.ts';
import { type Operation, ServerTransaction } from './server-transaction.ts';
import type { Store } from './store.ts';
import type { WatchTable } from './watch-table.ts';
import {
  latin1OfBytes,
  XENSTORE_PAYLOAD_MAX,
  type XenstoreErrorCode,
  XS_DIRECTORY,
  XS_DIRECTORY_PART,
  XS_ERROR,
  XS_GET_DOMAIN_PATH,
  XS_GET_PERMS,
  XS_INTRODUCE,
  XS_IS_DOMAIN_INTRODUCED,
  XS_MKDIR,
  XS_READ,
  XS_RELEASE,
  XS_RESET_WATCHES,
  XS_RESUME,
  XS_RM,
  XS_SET_PERMS,
  XS_TRANSACTION_END,
  XS_TRANSACTION_START,
  XS_UNWATCH,
  XS_WATCH,
  XS_WRITE,
} from './wire.ts';

/** What INTRODUCE and its kin ask of the daemon. */
export interface DomainTable {
  introduce(domid: number, frame: number, port: number): XenstoreErrorCode | undefined;
  release(domid: number): XenstoreErrorCode | undefined;
  isIntroduced(domid: number): boolean;
}

/** A payload, or what went wrong. */
type Answer = { readonly payload: string } | XenstoreErrorCode;

const OK: Answer = { payload: 'OK\0' };
/** So that the payload of an event (path and token) stays below its maximum. */
const TOKEN_MAX = 1000;
/** Above are the reserved domids. */
const DOMID_MAX = 0x7fef;

/** Does what requests ask for, on the tree, the watches and the transactions. Every request gets one answer. */
export class Operations {
  readonly #store: Store;
  readonly #watches: WatchTable;
  readonly #domains: DomainTable;
  /** Who may hear of domains that come and go; clients can change it. */
  readonly #specialPerms = new Map<string, Perms>([
    [INTRODUCE_DOMAIN, DOM0_ONLY],
    [RELEASE_DOMAIN, DOM0_ONLY],
  ]);

  constructor(store: Store, watches: WatchTable, domains: DomainTable) {
    this.#store = store;
    this.#watches = watches;
    this.#domains = domains;
  }

  specialPerms(path: string): Perms {
    return this.#specialPerms.get(path) ?? DOM0_ONLY;
  }

  handle(connection: Connection, message: XenstoreMessage): void {
    const answer = this.#dispatch(connection, message, latin1OfBytes(message.payload));
    if (typeof answer === 'string') connection.reply(XS_ERROR, message, `${answer}\0`);
    else if (answer.payload.length > XENSTORE_PAYLOAD_MAX) connection.reply(XS_ERROR, message, 'E2BIG\0');
    else connection.reply(message.type, message, answer.payload);
    // The first event of a watch follows the answer to its registration.
    if (message.type === XS_WATCH && answer === OK) this.#addWatch(connection, latin1OfBytes(message.payload));
  }

  #dispatch(connection: Connection, { type, txId }: XenstoreMessage, text: string): Answer {
    const { caller } = connection;
    switch (type) {
      case XS_READ:
      case XS_DIRECTORY:
      case XS_DIRECTORY_PART:
      case XS_GET_PERMS:
        return this.#look(connection, type, txId, text);
      case XS_WRITE:
      case XS_MKDIR:
      case XS_RM:
      case XS_SET_PERMS:
        return this.#change(connection, type, txId, text);
      case XS_WATCH:
        return this.#checkWatch(connection, text);
      case XS_UNWATCH:
        return this.#unwatch(connection, text);
      case XS_RESET_WATCHES:
        this.#watches.removeAll(connection);
        connection.transactions.clear();
        return OK;
      case XS_TRANSACTION_START:
        return this.#startTransaction(connection, txId);
      case XS_TRANSACTION_END:
        return this.#endTransaction(connection, txId, text);
      case XS_GET_DOMAIN_PATH: {
        const domid = domidOf(strings(text)?.[0]);
        return domid === undefined ? 'EINVAL' : { payload: `${domainPath(domid)}\0` };
      }
      case XS_IS_DOMAIN_INTRODUCED:
      case XS_INTRODUCE:
      case XS_RELEASE:
      case XS_RESUME:
        return caller.privileged ? this.#domain(type, strings(text) ?? []) : 'EACCES';
      default:
        return 'ENOSYS';
    }
  }

  #look(connection: Connection, type: number, txId: number, text: string): Answer {
    const args = strings(text);
    if (args?.length !== (type === XS_DIRECTORY_PART ? 2 : 1)) return 'EINVAL';
    const special = this.#specialPerms.get(args[0]!);
    if (special !== undefined && type === XS_GET_PERMS) {
      return connection.caller.privileged ? { payload: formatPerms(special) } : 'EACCES';
    }
    const path = resolvePath(args[0]!, connection.caller.domid);
    if (path === undefined) return 'EINVAL';
    const view = txId === 0 ? this.#store : connection.transactions.get(txId)?.view;
    if (view === undefined) return 'ENOENT';
    const node = view.read(path, connection.caller);
    if (typeof node === 'string') return node;
    if (type === XS_READ) return { payload: node.value };
    if (type === XS_GET_PERMS) return { payload: formatPerms(node.perms) };
    const names = [...node.children.keys()];
    if (type === XS_DIRECTORY) return { payload: names.map((name) => `${name}\0`).join('') };
    return directoryPart(names, node.generation, args[1]!);
  }

  #change(connection: Connection, type: number, txId: number, text: string): Answer {
    const { caller } = connection;
    const end = text.indexOf('\0');
    if (end === -1) return 'EINVAL';
    const rest = text.slice(end + 1);
    const perms = type === XS_SET_PERMS ? parsePerms(strings(rest) ?? ['']) : undefined;
    if (type === XS_SET_PERMS ? !perms?.length : type !== XS_WRITE && rest !== '') return 'EINVAL';
    const named = text.slice(0, end);
    if (perms !== undefined && this.#specialPerms.has(named)) {
      if (!caller.privileged) return 'EACCES';
      this.#specialPerms.set(named, perms);
      return OK;
    }
    const path = resolvePath(named, caller.domid);
    if (path === undefined) return 'EINVAL';
    const operation: Operation = (store) => {
      if (type === XS_WRITE) return store.write(path, rest, caller);
      if (type === XS_MKDIR) return store.mkdir(path, caller);
      if (perms !== undefined) return store.setPerms(path, perms, caller);
      return store.rm(path, caller);
    };
    if (txId === 0) return operation(this.#store) ?? OK;
    const transaction = connection.transactions.get(txId);
    return transaction === undefined ? 'ENOENT' : (transaction.apply(operation, caller) ?? OK);
  }

  #checkWatch(connection: Connection, text: string): Answer {
    const [wirePath, token, ...more] = strings(text) ?? [];
    if (wirePath === undefined || token === undefined || more.length > 0 || token.length > TOKEN_MAX) return 'EINVAL';
    if (!this.#specialPerms.has(wirePath) && resolvePath(wirePath, connection.caller.domid) === undefined) {
      return 'EINVAL';
    }
    if (connection.watches.has(watchKey(wirePath, token))) return 'EEXIST';
    const full = connection.watches.size >= this.#store.quotas.watches && !connection.caller.privileged;
    return full ? 'E2BIG' : OK;
  }

  #addWatch(connection: Connection, text: string): void {
    const [wirePath, token] = strings(text) as [string, string];
    this.#watches.add(connection, resolvePath(wirePath, connection.caller.domid) ?? wirePath, wirePath, token);
  }

  #unwatch(connection: Connection, text: string): Answer {
    const [wirePath, token] = strings(text) ?? [];
    if (wirePath === undefined || token === undefined) return 'EINVAL';
    const watch = connection.watches.get(watchKey(wirePath, token));
    if (watch === undefined) return 'ENOENT';
    this.#watches.remove(watch);
    return OK;
  }

  #startTransaction(connection: Connection, txId: number): Answer {
    if (txId !== 0) return 'EBUSY';
    const full = connection.transactions.size >= this.#store.quotas.transactions;
    if (full && !connection.caller.privileged) return 'ENOSPC';
    const id = connection.newTransactionId();
    connection.transactions.set(id, new ServerTransaction(this.#store));
    return { payload: `${id}\0` };
  }

  #endTransaction(connection: Connection, txId: number, text: string): Answer {
    if (text !== 'T\0' && text !== 'F\0') return 'EINVAL';
    const transaction = connection.transactions.get(txId);
    if (transaction === undefined) return 'ENOENT';
    connection.transactions.delete(txId);
    return text === 'F\0' ? OK : (transaction.commit(this.#store) ?? OK);
  }

  #domain(type: number, args: readonly string[]): Answer {
    const domid = domidOf(args[0]);
    if (domid === undefined) return 'EINVAL';
    if (type === XS_IS_DOMAIN_INTRODUCED) return { payload: this.#domains.isIntroduced(domid) ? 'T\0' : 'F\0' };
    if (type === XS_RELEASE) return this.#domains.release(domid) ?? OK;
    if (type === XS_RESUME) return this.#domains.isIntroduced(domid) ? OK : 'ENOENT';
    const frame = numberOf(args[1]);
    const port = numberOf(args[2]);
    if (frame === undefined || port === undefined || args.length !== 3) return 'EINVAL';
    return this.#domains.introduce(domid, frame, port) ?? OK;
  }
}

/** The NUL-terminated strings of a payload; undefined when the last one is not terminated. */
function strings(text: string): string[] | undefined {
  if (!text.endsWith('\0')) return undefined;
  return text.slice(0, -1).split('\0');
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}

function domidOf(text: string | undefined): number | undefined {
  const domid = numberOf(text);
  return domid !== undefined && domid <= DOMID_MAX ? domid : undefined;
}

/** DIRECTORY_PART: whole names from an offset on, after the generation; an empty name ends the last part. */
function directoryPart(names: readonly string[], generation: number, offsetText: string): Answer {
  const offset = numberOf(offsetText);
  if (offset === undefined) return 'EINVAL';
  let payload = `${generation}\0`;
  let position = 0;
  for (const name of names) {
    if (position >= offset) {
      if (payload.length + name.length + 1 > XENSTORE_PAYLOAD_MAX) return { payload };
      payload += `${name}\0`;
    }
    position += name.length + 1;
  }
  return payload.length < XENSTORE_PAYLOAD_MAX ? { payload: `${payload}\0` } : { payload };
}
