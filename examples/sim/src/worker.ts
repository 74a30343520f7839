import { parentPort } from 'node:worker_threads';
import { runSlice } from './run-seeds.ts';

/** A thread that runs slices of seeds for `runSeeds`. */
parentPort?.on('message', (slice: { first: number; count: number; untilFailure: boolean }) => {
  parentPort?.postMessage(runSlice(slice.first, slice.count, slice.untilFailure));
});
