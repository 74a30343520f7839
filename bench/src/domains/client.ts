/** The image of the client's domain: measures as it is told, posts its figures, and ends when the host says so. */
import { Timer } from '@qanat/clock';
import type { Kernel } from '@qanat/os';
import type { Stack } from '@qanat/stack';
import { bootStack } from 'qanat';
import type { Figures } from '../case.ts';
import { percentile } from '../statistics.ts';
import { type DomainArgs, type DomainPost, FIRST_PORT, SERVER_IP } from './protocol.ts';

const MAX_SAMPLES = 1 << 21;
/** Connections under way at once. */
const CONCURRENT = 64;

export function main(kernel: Kernel): void {
  const args = kernel.args as DomainArgs;
  const done = (figures: Figures): void => kernel.post({ type: 'figures', figures } satisfies DomainPost);
  const measure = args.mode === 'ping-pong' ? pingPong : connections;
  let stack: Stack | undefined;
  let go = false;
  const begin = (): void => {
    if (stack !== undefined && go) measure(kernel, stack, args, done);
  };
  kernel.onHostMessage = (message) => {
    if (message === 'exit') kernel.exit(0);
    go = true;
    begin();
  };
  bootStack(
    kernel,
    (ready) => {
      stack = ready;
      begin();
    },
    { tcp: { noDelay: true } },
  );
}

type Measure = (kernel: Kernel, stack: Stack, args: DomainArgs, done: (figures: Figures) => void) => void;

/** One byte to and fro. */
const pingPong: Measure = ({ clock, loop }, stack, { seconds, warmUpSeconds }, done) => {
  const byte = new Uint8Array(1);
  const samples = new Float64Array(MAX_SAMPLES);
  let taken = 0;
  let lastMs = 0;
  let measuring = false;
  const flow = stack.connect({ host: SERVER_IP, port: FIRST_PORT });
  flow.onConnect = () => flow.write(byte);
  flow.onReadable = () => {
    flow.consume(flow.peekBytes);
    const nowMs = performance.now();
    if (measuring && taken < MAX_SAMPLES) samples[taken++] = (nowMs - lastMs) * 1000;
    lastMs = nowMs;
    flow.write(byte);
  };
  flow.onClose = (error) => {
    throw error ?? new Error('the flow was closed');
  };
  const startUs = clock.now() + warmUpSeconds * 1e6;
  loop.timers.arm(new Timer(() => (measuring = true)), startUs);
  const end = new Timer((nowUs) => {
    measuring = false;
    const sorted = samples.subarray(0, taken).sort();
    const p50Us = percentile(sorted, 0.5);
    const p99Us = percentile(sorted, 0.99);
    done({
      p50Us,
      p99Us,
      meanUs: (nowUs - startUs) / taken,
      roundTripsPerSecond: (taken * 1e6) / (nowUs - startUs),
      p99OverP50: p99Us / p50Us,
    });
  });
  loop.timers.arm(end, startUs + seconds * 1e6);
};

/** Connections opened, used for a byte each way and closed, some at once. */
const connections: Measure = ({ clock, loop }, stack, { seconds, warmUpSeconds, ports }, done) => {
  const byte = new Uint8Array(1);
  let opened = 0;
  let finished = 0;
  let counting = true;
  const next = (): void => {
    if (!counting) return;
    const flow = stack.connect({ host: SERVER_IP, port: FIRST_PORT + (opened++ % ports) });
    flow.onConnect = () => flow.write(byte);
    flow.onReadable = () => {
      flow.consume(flow.peekBytes);
      flow.close();
    };
    flow.onEnd = () => {
      // The first goes alone, until ARP knows the way.
      if (++finished === 1) for (let i = 1; i < CONCURRENT; i++) next();
      next();
    };
    flow.onClose = (error) => {
      if (error !== undefined) throw error;
    };
  };
  next();
  const startUs = clock.now() + warmUpSeconds * 1e6;
  let before = 0;
  loop.timers.arm(new Timer(() => (before = finished)), startUs);
  const end = new Timer((nowUs) => {
    counting = false;
    const counted = finished - before;
    const us = nowUs - startUs;
    done({ connectionsPerSecond: (counted * 1e6) / us, usPerConnection: us / counted });
  });
  loop.timers.arm(end, startUs + seconds * 1e6);
};
