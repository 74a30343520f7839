import type { Flow } from '@qanat/stack';
import type { Figures } from '../case.ts';
import { percentile } from '../statistics.ts';
import { SERVER_IP, TwoStacks } from './two-stacks.ts';

const PORT = 5001;
const MAX_SAMPLES = 1 << 22;

/** One byte to and fro: the next request goes when the answer has come. */
export function pipePingPong(seconds: number, warmUpSeconds: number): Figures {
  const net = new TwoStacks(16, { noDelay: true });
  const byte = new Uint8Array(1);
  net.server.listen({
    port: PORT,
    onFlow: (flow) => {
      flow.onReadable = () => {
        flow.consume(flow.peekBytes);
        flow.write(byte);
      };
    },
  });
  let rounds = 0;
  const client: Flow = net.client.connect({ host: SERVER_IP, port: PORT });
  client.onConnect = () => client.write(byte);
  client.onReadable = () => {
    client.consume(client.peekBytes);
    rounds++;
    client.write(byte);
  };
  client.onClose = (error) => {
    throw error ?? new Error('the flow was closed');
  };
  net.run(warmUpSeconds);
  const before = rounds;
  const us = net.run(seconds);
  const counted = rounds - before;
  // The tail, in a run of its own: reading a clock per round trip costs.
  const samples = new Float64Array(MAX_SAMPLES);
  let taken = 0;
  let lastMs = performance.now();
  client.onReadable = () => {
    client.consume(client.peekBytes);
    const nowMs = performance.now();
    if (taken < MAX_SAMPLES) samples[taken++] = (nowMs - lastMs) * 1000;
    lastMs = nowMs;
    client.write(byte);
  };
  net.run(seconds / 2);
  const sorted = samples.subarray(0, taken).sort();
  return {
    roundTripsPerSecond: (counted * 1e6) / us,
    meanUs: us / counted,
    p50Us: percentile(sorted, 0.5),
    p99Us: percentile(sorted, 0.99),
  };
}
