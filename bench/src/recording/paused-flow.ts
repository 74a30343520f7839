import { SERVER_IP, TwoStacks } from '../pipe/two-stacks.ts';

const PORT = 5001;
const BUFFER_BYTES = 1 << 20;
const WRITE_BYTES = 131_072;
const DRAIN_SECONDS = 5;

export interface PausedFlow {
  /** Bulk data for so many seconds, until the last byte has arrived. @returns nanoseconds of each segment. */
  run(seconds: number): number;
  /** Calls of an observer while data goes over the flow. */
  observed(): number;
}

/** One flow of bulk data between two stacks on a pipe in this thread, which stands still between runs. */
export function pausedFlow(): PausedFlow {
  const net = new TwoStacks(64, { sndBuf: BUFFER_BYTES, rcvBuf: BUFFER_BYTES });
  let received = 0;
  let written = 0;
  let isRunning = false;
  net.server.listen({
    port: PORT,
    onFlow: (flow) => {
      flow.onReadable = () => {
        for (let bytes = flow.peekBytes; bytes > 0; bytes = flow.peekBytes) {
          flow.consume(bytes);
          received += bytes;
        }
      };
    },
  });
  const source = net.clientPages.allocContiguous(WRITE_BYTES / 4096);
  const flow = net.client.connect({ host: SERVER_IP, port: PORT });
  let isConnected = false;
  const pump = (): void => {
    while (isRunning) {
      const taken = flow.writeFrom(source, WRITE_BYTES);
      written += Math.max(taken, 0);
      if (taken < WRITE_BYTES) return;
    }
  };
  flow.onWritable = pump;
  flow.onConnect = () => (isConnected = true);
  flow.onClose = (error) => {
    throw error ?? new Error('the flow was closed');
  };
  net.until(() => isConnected, DRAIN_SECONDS, 'the connection');
  const run = (seconds: number): number => {
    const segments = net.client.stats().OutSegs;
    const startUs = net.clock.read();
    isRunning = true;
    pump();
    net.run(seconds);
    isRunning = false;
    net.until(() => received === written, DRAIN_SECONDS, 'the last byte');
    return ((net.clock.read() - startUs) * 1000) / (net.client.stats().OutSegs - segments);
  };
  const observed = (): number => {
    flow.startLogging();
    run(0.01);
    flow.stopLogging();
    return flow.logSnapshot()?.count ?? 0;
  };
  return { run, observed };
}
