import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { FORMATS, type Format, formatByContent, formatByFileName, formatByName, type Trace } from '@qanat/flowlog';
import { UsageError } from './usage-error.ts';

const READ_BYTES = 1 << 26;
/** Most that one Uint8Array holds in every engine. */
const MAX_FILE_BYTES = 2 ** 32 - 1;

/** A file that was read as a trace. */
export interface TraceFile {
  readonly path: string;
  readonly bytes: number;
  readonly format: Format;
  readonly trace: Trace;
}

/**
 * Reads a flow log or a capture.
 * @param from the name of its format; its content, then its name decide when not given.
 * @throws UsageError in one line when it is missing, or of no format that can be read.
 */
export function readTraceFile(path: string, from?: string): TraceFile {
  const named = from === undefined ? undefined : formatNamed(from);
  const bytes = readBytes(path);
  const format = named ?? formatByContent(bytes) ?? formatByFileName(path);
  if (bytes.length === 0) throw new UsageError(`${path} is empty`);
  if (format === undefined) {
    throw new UsageError(`${path} is of no known format: give --from with one of ${formatNames('read')}`);
  }
  if (format.read === undefined) {
    throw new UsageError(`${path}: ${format.name} (${format.title}) is only written; read are ${formatNames('read')}`);
  }
  return { path, bytes: bytes.length, format, trace: format.read(bytes) };
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
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${reason(error)}`);
  }
  try {
    const stat = fstatSync(descriptor);
    if (stat.isDirectory()) throw new UsageError(`${path} is a directory: give a file`);
    if (!stat.isFile()) return readPipe(descriptor, path);
    if (stat.size > MAX_FILE_BYTES) throw new UsageError(`${path} is too large: at most 4 GiB can be read`);
    const bytes = new Uint8Array(stat.size);
    let at = 0;
    while (at < bytes.length) {
      const got = readSync(descriptor, bytes, at, Math.min(READ_BYTES, bytes.length - at), at);
      if (got === 0) break;
      at += got;
    }
    return bytes.subarray(0, at);
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError(`${path} cannot be read: ${reason(error)}`);
  } finally {
    closeSync(descriptor);
  }
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

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EACCES: 'permission denied',
    EISDIR: 'it is a directory',
    ENOTDIR: 'a part of its path is no directory',
  };
  return known[code] ?? (error instanceof Error ? error.message : String(error));
}
