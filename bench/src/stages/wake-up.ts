import { isMainThread, Worker, workerData } from 'node:worker_threads';

const ROUNDS = 4000;
const WARM_UP = 500;
const [PING, PONG] = [0, 16];

/** @returns nanoseconds from an Atomics.notify to the woken thread's next statement: half a round trip's median. */
export async function wakeUpNs(): Promise<number> {
  const words = new Int32Array(new SharedArrayBuffer(128));
  const worker = new Worker(new URL(import.meta.url), { workerData: words });
  const samples = new Float64Array(ROUNDS);
  for (let i = -WARM_UP; i < ROUNDS; i++) {
    const startMs = performance.now();
    const turn = i + WARM_UP + 1;
    Atomics.store(words, PING, turn);
    Atomics.notify(words, PING);
    while (Atomics.load(words, PONG) !== turn) Atomics.wait(words, PONG, turn - 1);
    if (i >= 0) samples[i] = performance.now() - startMs;
  }
  await worker.terminate();
  return (samples.sort()[ROUNDS >>> 1]! * 1e6) / 2;
}

/** The other thread: it sleeps until its turn comes, answers, and sleeps again. */
function answer(words: Int32Array): void {
  for (let turn = 1; turn <= ROUNDS + WARM_UP; turn++) {
    while (Atomics.load(words, PING) !== turn) Atomics.wait(words, PING, turn - 1);
    Atomics.store(words, PONG, turn);
    Atomics.notify(words, PONG);
  }
}

if (!isMainThread && workerData instanceof Int32Array) answer(workerData);
