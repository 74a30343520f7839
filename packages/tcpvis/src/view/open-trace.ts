import { readAny } from '@qanat/flowlog';
import type { ByteSource } from './bytes.ts';
import { isQflow, openQflow } from './open-qflow.ts';
import { storeOfTrace, type TraceStore } from './store.ts';

/** Other formats are read whole. */
const MAX_WHOLE_BYTES = 2 ** 31 - 1;

/**
 * Opens a log or a capture of any format that can be read. Of a `.qflow` file only the heads of its chunks are read now.
 * @throws Error with a sentence for people when nothing of it can be shown.
 */
export async function openTrace(source: ByteSource, name: string): Promise<TraceStore> {
  if (source.size === 0) throw new Error(`${name} is empty: it has 0 bytes.`);
  const start = await source.read(0, Math.min(source.size, 64));
  if (isQflow(start)) return openQflow(source);
  if (source.size > MAX_WHOLE_BYTES) {
    throw new Error(
      `${name} has ${source.size} bytes, too many to read at once: turn it into .qflow with 'qanat-flow convert'.`,
    );
  }
  const bytes = await source.read(0, source.size);
  return storeOfTrace(readAny(bytes, name));
}
