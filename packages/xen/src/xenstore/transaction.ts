import type { XenstoreCallback, XenstoreClient, XenstoreDone } from './client.ts';
import { XenstoreError } from './error.ts';
import type { Perms } from './perms.ts';

export type TransactionBody = (tx: XenstoreTransaction) => void;

/** The operations inside of `XenstoreClient.transaction`. The same as the client's, on the transaction's own view. */
export class XenstoreTransaction {
  readonly #client: XenstoreClient;
  readonly #txId: number;
  readonly #onIdle: () => void;
  #outstanding = 1;
  #error: XenstoreError | undefined;
  #aborted = false;

  /** @internal */
  constructor(client: XenstoreClient, txId: number, onIdle: () => void) {
    this.#client = client;
    this.#txId = txId;
    this.#onIdle = onIdle;
  }

  /** Whether the transaction will be thrown away. */
  get aborted(): boolean {
    return this.#aborted;
  }

  /** @internal Why: the first failure that nobody handled. */
  get error(): XenstoreError | undefined {
    return this.#error;
  }

  read(path: string, cb: XenstoreCallback<string>): void {
    this.#client.read(path, this.#result(cb), this.#txId);
  }

  write(path: string, value: string, cb?: XenstoreDone): void {
    this.#client.write(path, value, this.#done(cb), this.#txId);
  }

  /** Writes `dir/key` for each entry. */
  writeAll(dir: string, values: Readonly<Record<string, string | number>>): void {
    for (const [key, value] of Object.entries(values)) this.write(`${dir}/${key}`, `${value}`);
  }

  mkdir(path: string, cb?: XenstoreDone): void {
    this.#client.mkdir(path, this.#done(cb), this.#txId);
  }

  rm(path: string, cb?: XenstoreDone): void {
    this.#client.rm(path, this.#done(cb), this.#txId);
  }

  directory(path: string, cb: XenstoreCallback<string[]>): void {
    this.#client.directory(path, this.#result(cb), this.#txId);
  }

  getPerms(path: string, cb: XenstoreCallback<Perms>): void {
    this.#client.getPerms(path, this.#result(cb), this.#txId);
  }

  setPerms(path: string, perms: Perms, cb?: XenstoreDone): void {
    this.#client.setPerms(path, perms, this.#done(cb), this.#txId);
  }

  readMany(paths: readonly string[], cb: XenstoreCallback<(string | undefined)[]>): void {
    this.#client.readMany(paths, this.#result(cb), this.#txId);
  }

  /** Nothing of it shall happen; `transaction` then calls back with `error`, or with no error. */
  abort(error?: XenstoreError): void {
    this.#aborted = true;
    this.#error ??= error;
  }

  /** @internal One of the operations, or the body itself, is over. */
  settle(): void {
    if (--this.#outstanding === 0) this.#onIdle();
  }

  #result<T>(cb: XenstoreCallback<T>): XenstoreCallback<T> {
    this.#outstanding++;
    return (error, value) => {
      cb(error, value);
      this.settle();
    };
  }

  #done(cb: XenstoreDone | undefined): XenstoreDone {
    this.#outstanding++;
    return (error) => {
      if (cb !== undefined) cb(error);
      else if (error !== undefined) this.abort(error);
      this.settle();
    };
  }
}

/** @internal Starts, runs, ends, and starts over on EAGAIN. */
export function runTransaction(
  client: XenstoreClient,
  body: TransactionBody,
  cb: XenstoreDone,
  attempts: number,
): void {
  client.startTransaction((startError, txId) => {
    if (startError !== undefined) {
      cb(startError);
      return;
    }
    const tx: XenstoreTransaction = new XenstoreTransaction(client, txId, () => {
      const { aborted, error } = tx;
      client.endTransaction(txId, !aborted, (endError) => {
        if (aborted) cb(error);
        else if (endError?.code !== 'EAGAIN') cb(endError);
        else if (attempts > 1) runTransaction(client, body, cb, attempts - 1);
        else cb(new XenstoreError('EAGAIN', 'transaction', ''));
      });
    });
    body(tx);
    tx.settle();
  });
}
