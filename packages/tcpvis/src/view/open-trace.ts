import type { ByteSource } from './bytes.ts';
import { isQflow, openQflow } from './qflow-store.ts';
import type { TraceStore } from './store.ts';

/**
 * Opens a log or a capture of any format that is known.
 * @throws Error with a sentence for people when nothing of it can be shown.
 */
export async function openTrace(source: ByteSource, name: string): Promise<TraceStore> {
  if (source.size === 0) throw new Error(`${name} is empty: 0 bytes.`);
  const start = await source.read(0, Math.min(source.size, 64));
  if (isQflow(start)) return openQflow(source);
  throw new Error(`${name} is no flow log that can be read.`);
}
