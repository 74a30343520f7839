import { seededRandom } from '@qanat/clock';
import type { Flow } from '@qanat/stack';
import type { Figures } from '../case.ts';
import { establish } from './bulk.ts';
import { TwoStacks } from './two-stacks.ts';

/** One byte to and fro, each time on a connection taken by chance among many: demultiplexing, timers, cache misses. */
export function pipeGrowth(seconds: number, warmUpSeconds: number, connections: number): Figures {
  const net = new TwoStacks(2047, { noDelay: true });
  const byte = new Uint8Array(1);
  const random = seededRandom(1);
  let rounds = 0;
  let flows: readonly Flow[] = [];
  const answer = (flow: Flow): void => {
    flow.onReadable = () => {
      flow.consume(flow.peekBytes);
      flow.write(byte);
    };
  };
  const startMs = performance.now();
  flows = establish(net, connections, { onFlow: answer });
  const establishUs = ((performance.now() - startMs) * 1000) / connections;
  const ask = (): void => {
    flows[random.u32() % flows.length]!.write(byte);
  };
  for (const flow of flows) {
    flow.onReadable = () => {
      flow.consume(flow.peekBytes);
      rounds++;
      ask();
    };
    flow.onClose = (error) => {
      throw error ?? new Error('a flow was closed');
    };
  }
  ask();
  net.run(warmUpSeconds);
  const before = rounds;
  const us = net.run(seconds);
  const counted = rounds - before;
  return { meanUs: us / counted, roundTripsPerSecond: (counted * 1e6) / us, establishUs };
}
