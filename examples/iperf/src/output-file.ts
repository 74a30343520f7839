import { accessSync, closeSync, constants, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from './usage-error.ts';

const DIFFERENT_FILE = 'give another file';

/**
 * A file that is either written whole or not at all: it grows under another name beside its place and takes its own
 * name at `commit`. What is no regular file (a pipe, /dev/stdout) is written directly.
 */
export class OutputFile {
  readonly path: string;
  readonly #partial: string | undefined;
  readonly #descriptor: number;
  #open = true;

  private constructor(path: string, partial: string | undefined, descriptor: number) {
    this.path = path;
    this.#partial = partial;
    this.#descriptor = descriptor;
  }

  /**
   * @param option the option that names the file, for the message.
   * @throws UsageError when it cannot be written.
   */
  static open(option: string, path: string): OutputFile {
    try {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) throw new UsageError(`${option} ${path} is a directory: give the name of a file`);
      if (stat && !stat.isFile()) return new OutputFile(path, undefined, openSync(path, 'w'));
      if (stat) accessSync(path, constants.W_OK);
      const partial = `${path}.${process.pid}.partial`;
      return new OutputFile(path, partial, openSync(partial, 'wx'));
    } catch (error) {
      throw error instanceof UsageError ? error : new UsageError(explain(option, path, error));
    }
  }

  /**
   * As `open`, for a file that is of use at every instant: it has its own name from the start, and stays whatever happens.
   * @throws UsageError when it cannot be written.
   */
  static openStream(option: string, path: string): OutputFile {
    try {
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
        throw new UsageError(`${option} ${path} is a directory: give the name of a file`);
      }
      return new OutputFile(path, undefined, openSync(path, 'w'));
    } catch (error) {
      throw error instanceof UsageError ? error : new UsageError(explain(option, path, error));
    }
  }

  /** Appends. @throws Error of node:fs when the disk will not take it. */
  write(chunk: string | Uint8Array): void {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    for (let done = 0; done < bytes.byteLength; ) done += writeSync(this.#descriptor, bytes, done);
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

function explain(option: string, path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
  const directory = dirname(path);
  const cause: Readonly<Record<string, string>> = {
    ENOENT: `the directory ${directory} does not exist: create it or ${DIFFERENT_FILE}`,
    ENOTDIR: `${directory} is not a directory: ${DIFFERENT_FILE}`,
    EACCES: `permission denied: ${DIFFERENT_FILE}`,
    EPERM: `permission denied: ${DIFFERENT_FILE}`,
    EROFS: `the file system is read-only: ${DIFFERENT_FILE}`,
    ENAMETOOLONG: 'the name is too long: give a shorter one',
  };
  return `${option} ${path} cannot be written, ${cause[code] ?? `${code}: ${DIFFERENT_FILE}`}`;
}

/** @returns the file of the `index`-th flow (from 0): `a.log`, `a.2.log`, `a.3.log`. */
export function flowLogPath(path: string, index: number): string {
  return index === 0 ? path : `${path.slice(0, -'.log'.length)}.${index + 1}.log`;
}
