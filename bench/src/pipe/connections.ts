import type { Flow } from '@qanat/stack';
import type { Figures } from '../case.ts';
import { SERVER_IP, TwoStacks } from './two-stacks.ts';

const FIRST_PORT = 20_000;
const PORTS = 64;
/** Connections under way at once. */
const CONCURRENT = 64;

/**
 * Connections opened, used for one byte each way, and closed, one after the other on some lanes at once. TIME-WAIT
 * lasts its 60 s at the client, so they pile up there.
 */
export function pipeConnections(seconds: number, warmUpSeconds: number): Figures {
  const net = new TwoStacks(512);
  const byte = new Uint8Array(1);
  const onFlow = (flow: Flow): void => {
    flow.onReadable = () => {
      flow.consume(flow.peekBytes);
      flow.write(byte);
    };
    flow.onEnd = () => flow.close();
  };
  for (let i = 0; i < PORTS; i++) net.server.listen({ port: FIRST_PORT + i, backlog: 1024, onFlow });
  let opened = 0;
  let finished = 0;
  const next = (): void => {
    const flow = net.client.connect({ host: SERVER_IP, port: FIRST_PORT + (opened++ % PORTS) });
    flow.onConnect = () => flow.write(byte);
    flow.onReadable = () => {
      flow.consume(flow.peekBytes);
      flow.close();
    };
    flow.onEnd = () => {
      finished++;
      next();
    };
    flow.onClose = (error) => {
      if (error !== undefined) throw error;
    };
  };
  for (let i = 0; i < CONCURRENT; i++) next();
  net.run(warmUpSeconds);
  const before = finished;
  const us = net.run(seconds);
  const heapBytes = process.memoryUsage().heapUsed;
  return {
    connectionsPerSecond: ((finished - before) * 1e6) / us,
    usPerConnection: us / (finished - before),
    timeWait: finished,
    heapMb: heapBytes / 1e6,
    retransmits: net.client.stats().RetransSegs + net.server.stats().RetransSegs,
  };
}
