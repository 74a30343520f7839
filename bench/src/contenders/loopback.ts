import type { Contender } from '../case.ts';
import { runNodeMeasured } from '../child.ts';
import type { LoopbackRun } from '../loopback.ts';
import { rateAfter } from '../statistics.ts';

const LOOPBACK = new URL('../loopback.js', import.meta.url);

/** node:net over loopback, one flow, the server in a worker. @param writeBytes of one write. */
export function loopback(name: string, writeBytes = 65_536): Contender {
  return {
    name,
    run: async ({ seconds, warmUpSeconds }) => {
      const args = [`${seconds + warmUpSeconds}`, `${writeBytes}`];
      const { stdout, cpuSeconds } = await runNodeMeasured(LOOPBACK, [], args);
      const { bytes, spans } = JSON.parse(stdout) as LoopbackRun;
      return { bitsPerSecond: rateAfter(spans, warmUpSeconds) * 8, cpuNsPerByte: (cpuSeconds * 1e9) / bytes };
    },
  };
}
