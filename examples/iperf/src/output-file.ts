import { UsageError as OutputError, OutputFile } from '@qanat/tcpvis/output-file';
import { UsageError } from './usage-error.ts';

export { OutputFile };

/**
 * A file that is written whole or not at all.
 * @param option the option that names it, for the message.
 * @throws UsageError when it cannot be written.
 */
export function openOutput(option: string, path: string): OutputFile {
  return of(option, () => OutputFile.open(path));
}

/** As `openOutput`, of a file that has its name from the start, and stays whatever happens. */
export function openStream(option: string, path: string): OutputFile {
  return of(option, () => OutputFile.openStream(path));
}

function of(option: string, open: () => OutputFile): OutputFile {
  try {
    return open();
  } catch (error) {
    throw error instanceof OutputError ? new UsageError(`${option} ${error.message}`) : error;
  }
}

/** @returns the file of the `index`-th flow (from 0): `a.log`, `a.2.log`, `a.3.log`. */
export function flowLogPath(path: string, index: number): string {
  return index === 0 ? path : `${path.slice(0, -'.log'.length)}.${index + 1}.log`;
}
