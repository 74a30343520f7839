import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs';
import { UsageError } from '../usage-error.ts';

/** @throws UsageError when the file cannot be read. */
export function readInput(path: string): Uint8Array {
  checkReadable(path);
  return readFileSync(path);
}

/** @throws UsageError when there is no such file, or it cannot be read. */
export function checkReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${reason(error)}`);
  }
  if (statSync(path).isDirectory()) throw new UsageError(`${path} is a folder: give a file`);
}

/** @throws UsageError when the file cannot be written. */
export function writeOutput(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw new UsageError(`${path} cannot be written: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'it is not there';
  return code === 'EACCES' ? 'not allowed' : message;
}
