import { OutputFile } from '../output-file.ts';
import { UsageError } from '../usage-error.ts';

/** Writes a file, whole or not at all. @throws UsageError when it cannot be written. */
export function writeOutput(path: string, content: string | Uint8Array): void {
  const file = OutputFile.open(path);
  try {
    file.write(typeof content === 'string' ? Buffer.from(content) : content);
    file.commit();
  } catch (error) {
    if (error instanceof Error && 'code' in error) throw new UsageError(`${path} cannot be written: ${error.message}`);
    throw error;
  } finally {
    file.discard();
  }
}
