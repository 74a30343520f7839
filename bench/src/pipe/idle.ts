import { PAGE_SIZE } from '@qanat/bytes';
import type { Figures } from '../case.ts';
import { establish } from './bulk.ts';
import { TwoStacks } from './two-stacks.ts';

/** What idle established connections keep: V8's heap, typed arrays outside of it, and pages of the memory; per end. */
export function pipeIdle(connections: number): Figures {
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) throw new Error('run with --expose-gc');
  const net = new TwoStacks(2047);
  // Tables that are there from the first connection on, and code, are not charged.
  const first = establish(net, 64);
  net.run(0.1);
  collect();
  const before = measure(net);
  const flows = establish(net, connections, { firstPort: 30_000 });
  // Acknowledgments that were held back, timers of the handshake.
  net.run(0.5);
  collect();
  collect();
  const after = measure(net);
  const ends = 2 * connections;
  const established = [...net.client.flows].filter((flow) => flow.state === 'ESTABLISHED').length;
  if (established !== flows.length + first.length) throw new Error(`only ${established} are established`);
  return {
    bytesPerEnd: (after.heap + after.outside + after.pages - before.heap - before.outside - before.pages) / ends,
    heapBytesPerEnd: (after.heap - before.heap) / ends,
    outsideBytesPerEnd: (after.outside - before.outside) / ends,
    pageBytesPerEnd: (after.pages - before.pages) / ends,
  };
}

interface Use {
  readonly heap: number;
  readonly outside: number;
  readonly pages: number;
}

function measure(net: TwoStacks): Use {
  const { heapUsed, arrayBuffers, external } = process.memoryUsage();
  const used = (pages: { readonly frameCount: number; readonly freePages: number }): number =>
    (pages.frameCount - pages.freePages) * PAGE_SIZE;
  // The machine's memory is charged by pages; whether V8 counts it as external does not matter, as it stays.
  return {
    heap: heapUsed,
    outside: Math.max(arrayBuffers, external),
    pages: used(net.clientPages) + used(net.serverPages),
  };
}
