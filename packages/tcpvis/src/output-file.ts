import { accessSync, closeSync, constants, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from './usage-error.ts';

/** How long a full pipe is waited for before it is tried again. */
const PIPE_WAIT_MS = 5;

/**
 * A file that is either written whole or not at all: it grows under another name beside its place and takes its own
 * name at `commit`. What is no regular file (a pipe, /dev/stdout) is written directly. A write returns when the bytes are
 * taken, so that whoever makes them waits for whoever takes them.
 */
export class OutputFile {
  readonly path: string;
  /** Bytes written. */
  bytes = 0;
  readonly #partial: string | undefined;
  readonly #descriptor: number;
  #open = true;

  private constructor(path: string, partial: string | undefined, descriptor: number) {
    this.path = path;
    this.#partial = partial;
    this.#descriptor = descriptor;
  }

  /** @throws UsageError in one line when it cannot be written. */
  static open(path: string): OutputFile {
    try {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) throw new UsageError(`${path} is a directory: give the name of a file`);
      if (stat && !stat.isFile()) return new OutputFile(path, undefined, openSync(path, 'w'));
      if (stat) accessSync(path, constants.W_OK);
      const partial = `${path}.${process.pid}.partial`;
      return new OutputFile(path, partial, openSync(partial, 'wx'));
    } catch (error) {
      throw error instanceof UsageError ? error : new UsageError(explain(path, error));
    }
  }

  /** Appends. @throws Error of node:fs when the disk will not take it. */
  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.byteLength; ) {
      try {
        done += writeSync(this.#descriptor, bytes, done);
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
        // A pipe that does not block is full: sleep, then try again.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PIPE_WAIT_MS);
      }
    }
    this.bytes += bytes.byteLength;
  }

  /** The file is whole: it takes its name. */
  commit(): void {
    this.#close();
    if (this.#partial !== undefined) renameSync(this.#partial, this.path);
  }

  /** Leaves nothing behind. Does nothing after `commit`. */
  discard(): void {
    if (!this.#open) return;
    this.#close();
    if (this.#partial !== undefined) rmSync(this.#partial, { force: true });
  }

  #close(): void {
    this.#open = false;
    closeSync(this.#descriptor);
  }
}

function explain(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
  const directory = dirname(path);
  const cause: Readonly<Record<string, string>> = {
    ENOENT: `the directory ${directory} does not exist`,
    ENOTDIR: `${directory} is not a directory`,
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENAMETOOLONG: 'the name is too long',
    ENOSPC: 'no space is left',
  };
  return `${path} cannot be written: ${cause[code] ?? code}`;
}
