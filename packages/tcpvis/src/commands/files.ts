import { type Stats, statSync } from 'node:fs';
import { cannotBeWritten, OutputFile } from '../output-file.ts';
import { UsageError } from '../usage-error.ts';

/** Writes a file, whole or not at all. @throws UsageError when it cannot be written. */
export function writeOutput(path: string, content: string | Uint8Array): void {
  const file = OutputFile.open(path);
  try {
    file.write(content);
    file.commit();
  } catch (error) {
    throw error instanceof Error && 'code' in error ? cannotBeWritten(path, error) : error;
  } finally {
    file.discard();
  }
}

/** @throws UsageError when both names are of one regular file, by whatever path or link. */
export function refuseSameFile(input: string, out: string): void {
  const [one, other] = [statOf(input), statOf(out)];
  if (one?.isFile() === true && one.dev === other?.dev && one.ino === other.ino)
    throw new UsageError(`${out} is the file that is read: give another name`);
}

export function isDirectory(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}

/** @returns undefined when it is not there, or cannot be looked at: whoever opens it will say so. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
