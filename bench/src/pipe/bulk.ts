import type { Flow } from '@qanat/stack';
import type { Figures } from '../case.ts';
import { jainIndex } from '../statistics.ts';
import { SERVER_IP, TwoStacks } from './two-stacks.ts';

const PORT = 5001;
/** Send and receive buffer of a flow; many flows share ALL_BUFFERS_BYTES. */
const BUFFER_BYTES = 1 << 20;
const ALL_BUFFERS_BYTES = 128 << 20;
const HANDSHAKES = 100;

export interface PipeBulkOptions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly flows: number;
  /** Bytes of one write. */
  readonly writeBytes: number;
  /** Established connections beside it that say nothing. */
  readonly idleConnections: number;
  readonly mtu: number;
}

/** Bulk data from one stack to the other, read in place. */
export function pipeBulk(options: PipeBulkOptions): Figures {
  const { flows, writeBytes, idleConnections, mtu } = options;
  const memoryMiB = Math.min(2047, 64 + 8 * flows + Math.ceil(idleConnections / 1000) * 8);
  const buffer = Math.min(BUFFER_BYTES, ALL_BUFFERS_BYTES / flows);
  const tcp = { sndBuf: buffer, rcvBuf: buffer };
  const net = new TwoStacks(memoryMiB, tcp, mtu);
  if (idleConnections > 0) establish(net, idleConnections);
  let received = 0;
  const byFlow = new Float64Array(flows);
  let accepted = 0;
  const onFlow = (flow: Flow): void => {
    const index = accepted++;
    flow.onReadable = () => {
      for (let bytes = flow.peekBytes; bytes > 0; bytes = flow.peekBytes) {
        flow.consume(bytes);
        received += bytes;
        byFlow[index]! += bytes;
      }
    };
  };
  net.server.listen({ port: PORT, onFlow });
  const source = net.clientPages.allocContiguous(Math.ceil(writeBytes / 4096));
  for (let i = 0; i < flows; i++) {
    const flow = net.client.connect({ host: SERVER_IP, port: PORT });
    const pump = (): void => {
      // A bound, for the loop's other work: a write that is all taken may go on for ever.
      for (let writes = 0; writes < 1024; writes++) if (flow.writeFrom(source, writeBytes) < writeBytes) return;
    };
    flow.onWritable = pump;
    flow.onConnect = pump;
    flow.onClose = (error) => {
      throw error ?? new Error('a flow was closed');
    };
  }
  net.run(options.warmUpSeconds);
  byFlow.fill(0);
  const [before, cpu] = [received, process.cpuUsage()];
  const segments = net.client.stats().OutSegs;
  const acks = net.server.stats().OutSegs;
  const us = net.run(options.seconds);
  const { user, system } = process.cpuUsage(cpu);
  const bytes = received - before;
  const sent = net.client.stats().OutSegs - segments;
  return {
    bitsPerSecond: (bytes * 8e6) / us,
    nsPerSegment: (us * 1000) / sent,
    segmentsPerAck: sent / (net.server.stats().OutSegs - acks),
    cpuNsPerByte: ((user + system) * 1000) / bytes,
    retransmits: net.client.stats().RetransSegs,
    jain: jainIndex(byFlow),
    leastShare: (Math.min(...byFlow) * flows) / bytes,
  };
}

export interface EstablishOptions {
  /** First of the server's ports. */
  readonly firstPort?: number;
  /** Gets the server's ends. */
  readonly onFlow?: (flow: Flow) => void;
}

/** Opens so many connections, over listeners of as many ports as are needed, fewer handshakes at a time than the pipe holds frames. */
export function establish(net: TwoStacks, count: number, options: EstablishOptions = {}): Flow[] {
  const { firstPort = 10_000, onFlow } = options;
  const perPort = 20_000;
  let accepted = 0;
  const accept = (flow: Flow): void => {
    accepted++;
    onFlow?.(flow);
  };
  const flows: Flow[] = [];
  const ports = Math.ceil(count / perPort);
  for (let i = 0; i < ports; i++) net.server.listen({ port: firstPort + i, backlog: 4096, onFlow: accept });
  while (flows.length < count) {
    const batch = Math.min(HANDSHAKES, count - flows.length);
    for (let i = 0; i < batch; i++) {
      flows.push(net.client.connect({ host: SERVER_IP, port: firstPort + Math.floor(flows.length / perPort) }));
    }
    net.until(() => accepted === flows.length, 30, `connection ${flows.length}`);
  }
  return flows;
}
