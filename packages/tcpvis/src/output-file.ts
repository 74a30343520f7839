import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { UsageError } from './usage-error.ts';

export { UsageError };

/** Names of what the process has open. */
const DESCRIPTORS = /^\/(dev\/(stdin|stdout|stderr|fd\/\d+)|proc\/[^/]+\/(task\/\d+\/)?fd\/\d+)$/;
const PERMISSIONS = 0o777;
/** How long a full pipe is waited for before it is tried again. */
const PIPE_WAIT_MS = 5;

/**
 * A file that is either written whole or not at all: it grows under another name beside its place and takes its own
 * name at `commit`, with the permissions of a file that was there; a link stays one. What is no regular file (a pipe), or is
 * open already (/dev/stdout), is written directly. A write returns when the bytes are taken, so that whoever makes them waits
 * for whoever takes them.
 */
export class OutputFile {
  readonly path: string;
  /** Bytes written. */
  bytes = 0;
  readonly #partial: string | undefined;
  /** What `path` leads to. */
  readonly #target: string;
  readonly #descriptor: number;
  #open = true;

  private constructor(path: string, target: string, partial: string | undefined, descriptor: number) {
    this.path = path;
    this.#target = target;
    this.#partial = partial;
    this.#descriptor = descriptor;
  }

  /** @throws UsageError in one line when it cannot be written. */
  static open(path: string): OutputFile {
    if (path === '') throw new UsageError('the name of a file is missing');
    if (path === '-') throw new UsageError("'-' is no file: the standard output is /dev/stdout");
    try {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) throw new UsageError(`${path} is a directory: give the name of a file`);
      if (stat && !stat.isFile()) return new OutputFile(path, path, undefined, openSync(path, 'w'));
      // What the shell has opened goes on where it is.
      if (stat && DESCRIPTORS.test(path)) return new OutputFile(path, path, undefined, openSync(path, 'a'));
      if (stat) accessSync(path, constants.W_OK);
      const target = stat ? realpathSync(path) : endOfLinks(path);
      const partial = `${target}.${process.pid}.partial`;
      const descriptor = openSync(partial, 'wx', stat?.mode);
      // What the umask took of it.
      if (stat) fchmodSync(descriptor, stat.mode & PERMISSIONS);
      return new OutputFile(path, target, partial, descriptor);
    } catch (error) {
      throw cannotBeWritten(path, error);
    }
  }

  /**
   * As `open`, for a file that is of use at every instant: it has its own name from the start, and stays whatever happens.
   * @throws UsageError in one line when it cannot be written.
   */
  static openStream(path: string): OutputFile {
    try {
      if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
        throw new UsageError(`${path} is a directory: give the name of a file`);
      return new OutputFile(path, path, undefined, openSync(path, 'w'));
    } catch (error) {
      throw cannotBeWritten(path, error);
    }
  }

  /** Appends. @throws Error of node:fs when the disk will not take it. */
  write(content: string | Uint8Array): void {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
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
    if (this.#partial !== undefined) renameSync(this.#partial, this.#target);
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

/** @returns where a file will be that is not there yet: `path`, or what it leads to as a link. */
function endOfLinks(path: string): string {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return path;
  const link = readlinkSync(path);
  return endOfLinks(isAbsolute(link) ? link : `${dirname(path)}/${link}`);
}

/** @returns what to say of an error of node:fs. */
export function cannotBeWritten(path: string, error: unknown): UsageError {
  if (error instanceof UsageError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'an unknown error';
  const directory = dirname(path);
  const cause: Readonly<Record<string, string>> = {
    ENOENT: existsSync(directory) ? `no file can be made in ${directory}` : `the directory ${directory} does not exist`,
    ENOTDIR: `${directory} is not a directory`,
    EACCES: 'permission denied',
    EPERM: 'permission denied',
    EROFS: 'the file system is read-only',
    ENAMETOOLONG: 'the name is too long',
    ELOOP: 'it is a link to itself',
    EPIPE: 'whoever reads it has gone',
    ENOSPC: 'no space is left',
  };
  return new UsageError(`${path} cannot be written: ${cause[code] ?? code}`);
}
