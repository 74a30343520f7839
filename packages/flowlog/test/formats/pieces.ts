import type { Format, Trace, WriteOptions } from '../../src/index.ts';
import { formatByName } from '../../src/index.ts';

/** Writes a trace in a format into memory. */
export function write(name: string, trace: Trace, options?: WriteOptions): Uint8Array {
  const pieces: Uint8Array[] = [];
  named(name).write!(trace, (piece) => pieces.push(piece.slice()), options);
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

export function writeText(name: string, trace: Trace, options?: WriteOptions): string {
  return new TextDecoder().decode(write(name, trace, options));
}

export function read(name: string, bytes: Uint8Array | string): Trace {
  return named(name).read!(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
}

function named(name: string): Format {
  const format = formatByName(name);
  if (format === undefined) throw new Error(`no format ${name}`);
  return format;
}
