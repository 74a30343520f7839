import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import {
  FORMATS,
  type Format,
  formatByContent,
  formatByFileName,
  formatByName,
  type Trace,
  walkTrace,
} from '@qanat/flowlog';
import { UsageError } from './usage-error.ts';

const READ_BYTES = 1 << 26;
/** Most that one Uint8Array holds in every engine. */
const MAX_FILE_BYTES = 2 ** 32 - 1;

/** So much of a file that is no flow log is looked at for something that can be read: first little, then more. */
const LOOK_BYTES = [1 << 20, 1 << 26];

/** A file that was read as a trace. */
export interface TraceFile {
  readonly path: string;
  readonly bytes: number;
  readonly format: Format;
  readonly trace: Trace;
}

interface ReadableFormat extends Format {
  readonly read: NonNullable<Format['read']>;
}

/**
 * Reads a flow log or a capture.
 * @param from the name of its format; its content, then its name decide when not given.
 * @throws UsageError in one line when it is missing, of no format that can be read, or holds nothing that can be read.
 */
export function readTraceFile(path: string, from?: string): TraceFile {
  const named = from === undefined ? undefined : formatNamed(from);
  const bytes = readBytes(path);
  const format = formatToRead(path, bytes, 'give --from with one of', named);
  const trace = format.read(bytes);
  refuseNothing(path, format, trace);
  return { path, bytes: bytes.length, format, trace };
}

/**
 * Looks whether there is anything in a file that can be read: at no more of it than that takes.
 * @param read gives bytes of the file.
 * @throws UsageError as `readTraceFile`.
 */
export async function checkReadable(
  path: string,
  size: number,
  read: (offset: number, length: number) => Uint8Array,
): Promise<void> {
  for (const most of LOOK_BYTES) {
    const start = read(0, Math.min(size, most));
    const format = formatToRead(path, start, 'read are');
    if (format.name === 'qflow') {
      const walk = walkTrace(read, size);
      for (;;) {
        const step = await walk.next();
        const { flows, chunks } = step.value;
        if (flows.length > 0 || chunks.length > 0) return;
        if (step.done === true) return refuse(path, format, step.value.problems);
      }
    }
    const trace = format.read(start);
    if (start.length === size) return refuseNothing(path, format, trace);
    if (!isNothing(trace)) return;
  }
}

/** @param remedy what to say before the formats there are. */
function formatToRead(path: string, start: Uint8Array, remedy: string, named?: Format): ReadableFormat {
  if (start.length === 0) throw new UsageError(`${path} is empty`);
  const format = named ?? formatByContent(start) ?? formatByFileName(path);
  if (format === undefined && start[0] === 0x1f && start[1] === 0x8b) {
    throw new UsageError(`${path} is compressed: unpack it with gunzip first`);
  }
  if (format === undefined) {
    throw new UsageError(`${path} is of no known format: ${remedy} ${formatNames('read')}`);
  }
  const { read } = format;
  if (read === undefined) {
    throw new UsageError(`${path}: ${format.name} (${format.title}) is only written; read are ${formatNames('read')}`);
  }
  return { ...format, read };
}

/** A log in which nothing happened is no mistake: one of which nothing could be read is. */
function refuseNothing(path: string, format: Format, trace: Trace): void {
  if (isNothing(trace)) refuse(path, format, trace.problems);
}

function isNothing({ flows, sources, frames }: Trace): boolean {
  return flows.length === 0 && (frames?.rows ?? 0) === 0 && sources.every(({ machine }) => machine.rows === 0);
}

function refuse(path: string, { name }: Format, problems: readonly string[]): void {
  const [problem] = problems;
  if (problem !== undefined) throw new UsageError(`${path} holds nothing that can be read as ${name}: ${problem}`);
}

/** @throws UsageError when no format has that name. */
export function formatNamed(name: string): Format {
  const format = formatByName(name) ?? formatByFileName(`.${name}`);
  if (format === undefined) {
    throw new UsageError(`'${name}' is no format: there are ${FORMATS.map((each) => each.name).join(', ')}`);
  }
  return format;
}

/** The names of the formats that can be read or written, for a message. */
export function formatNames(what: 'read' | 'write'): string {
  return FORMATS.filter((format) => format[what] !== undefined)
    .map(({ name, extensions }) => `${name} (${extensions.join(' ')})`)
    .join(', ');
}

/** The whole file; Node's own readFile stops at 2 GiB. */
export function readBytes(path: string): Uint8Array {
  const { descriptor, stat } = openFile(path);
  try {
    if (!stat.isFile()) return readPipe(descriptor, path);
    if (stat.size > MAX_FILE_BYTES) throw new UsageError(`${path} is too large: at most 4 GiB can be read`);
    return readPart(descriptor, 0, stat.size);
  } catch (error) {
    throw usageError(path, error);
  } finally {
    closeSync(descriptor);
  }
}

/** As `checkReadable`, of a file that is not read as a whole. */
export async function checkFileReadable(path: string): Promise<void> {
  // A pipe without a writer is not waited for.
  const { descriptor, stat } = openFile(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!stat.isFile()) throw new UsageError(`${path} is no file that can be read more than once`);
    await checkReadable(path, stat.size, (offset, length) => readPart(descriptor, offset, length));
  } catch (error) {
    throw usageError(path, error);
  } finally {
    closeSync(descriptor);
  }
}

function openFile(
  path: string,
  flags: number = constants.O_RDONLY,
): { readonly descriptor: number; readonly stat: Stats } {
  if (path === '') throw new UsageError('the name of a file is missing');
  if (path === '-') throw new UsageError("'-' is no file: the standard input is /dev/stdin");
  try {
    const descriptor = openSync(path, flags);
    const stat = fstatSync(descriptor);
    if (!stat.isDirectory()) return { descriptor, stat };
    closeSync(descriptor);
  } catch (error) {
    throw usageError(path, error);
  }
  throw new UsageError(`${path} is a directory: give a file`);
}

/** @returns less when the file ends before. */
function readPart(descriptor: number, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const got = readSync(descriptor, bytes, at, Math.min(READ_BYTES, length - at), offset + at);
    if (got === 0) break;
    at += got;
  }
  return bytes.subarray(0, at);
}

function readPipe(descriptor: number, path: string): Uint8Array {
  let bytes = new Uint8Array(0x1_0000);
  let at = 0;
  for (;;) {
    if (at === bytes.length) {
      if (at > MAX_FILE_BYTES / 2) throw new UsageError(`${path} is too large: at most 2 GiB can be read from a pipe`);
      const larger = new Uint8Array(2 * at);
      larger.set(bytes);
      bytes = larger;
    }
    const got = readSync(descriptor, bytes, at, bytes.length - at, null);
    if (got === 0) return bytes.subarray(0, at);
    at += got;
  }
}

function usageError(path: string, error: unknown): UsageError {
  return error instanceof UsageError ? error : new UsageError(`${path} cannot be read: ${reason(error)}`);
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
    ENOTDIR: 'a part of its path is no directory',
    ENAMETOOLONG: 'the name is too long',
    ELOOP: 'it is a link to itself',
  };
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}
