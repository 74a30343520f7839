import { seededRandom } from '@qanat/clock';
import type { Flow } from '@qanat/stack';
import type { Figures } from '../case.ts';
import { establish } from './bulk.ts';
import { TwoStacks } from './two-stacks.ts';

/** Connections that speak, at most: each that has spoken keeps its buffers. */
const SPEAKERS = 1000;

/**
 * One byte to and fro, each time on a connection taken by chance among those that speak, and all are established:
 * demultiplexing, timers, cache misses.
 */
export function pipeGrowth(seconds: number, warmUpSeconds: number, connections: number): Figures {
  const net = new TwoStacks(2047, { noDelay: true });
  const byte = new Uint8Array(1);
  const random = seededRandom(1);
  let rounds = 0;
  const answer = (flow: Flow): void => {
    flow.onReadable = () => {
      flow.consume(flow.peekBytes);
      flow.write(byte);
    };
  };
  const startMs = performance.now();
  const all = establish(net, connections, { onFlow: answer });
  const establishUs = ((performance.now() - startMs) * 1000) / connections;
  const step = Math.max(1, Math.floor(connections / SPEAKERS));
  const flows = all.filter((_, i) => i % step === 0);
  // First each once, in turn: its buffers are made when they are first needed.
  let first = 0;
  const ask = (): void => {
    flows[first < flows.length ? first++ : random.u32() % flows.length]!.write(byte);
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
  const firstMs = performance.now();
  ask();
  net.until(() => rounds >= flows.length, 60, `a byte on each of ${flows.length} connections`);
  const firstUs = ((performance.now() - firstMs) * 1000) / flows.length;
  net.run(warmUpSeconds);
  const before = rounds;
  const us = net.run(seconds);
  const counted = rounds - before;
  return { meanUs: us / counted, roundTripsPerSecond: (counted * 1e6) / us, establishUs, firstUs };
}
