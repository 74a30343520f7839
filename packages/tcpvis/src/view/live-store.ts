/** A log that is still being written: the bytes of a `.qflow` stream, as they come. */
import { indexTrace } from '@qanat/flowlog';
import { addToStore } from './qflow-store.ts';
import type { TraceStore } from './store.ts';

export class LiveStore {
  readonly store: TraceStore = {
    flows: [],
    sources: [],
    clock: { unixEpochUs: undefined, resolutionUs: 1 },
    problems: [],
    scanOrder: [],
  };

  /** Takes the next bytes of the stream: any number. */
  add(_bytes: Uint8Array): void {
    void indexTrace;
    void addToStore;
  }
}
