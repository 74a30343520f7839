/** What the command and the two domains tell each other: plain data that survives structured clone. */
import type { FlowLogHandle, TraceMessage } from '@qanat/flowlog';

/** One flow of the test. The client opens it; who sends is up to the test. */
export interface StreamPlan {
  /** iperf3's stream number: 5, 7, 9, ... */
  readonly id: number;
  /** The client's port, by which the server knows which stream has come. */
  readonly localPort: number;
  readonly sender: DomainRole;
  /** Bytes to send, 0 for a run by time. */
  readonly bytes: number;
}

export type DomainRole = 'client' | 'server';

/** The `args` of both images. */
export interface TrafficArgs {
  readonly role: DomainRole;
  readonly serverIp: string;
  readonly port: number;
  readonly streams: readonly StreamPlan[];
  /** How long to send, 0 until the bytes are sent or somebody says stop. */
  readonly durationUs: number;
  /** Time between samples, 0 for one over the whole run. */
  readonly intervalUs: number;
  /** Time between totals for the live line, 0 for none. */
  readonly liveUs: number;
  /** Bytes of one write. */
  readonly length: number;
  readonly seed: number;
  /** The sender's bytes stay where they lie; else they are written. */
  readonly lend: boolean;
  readonly verify: boolean;
  /** Records that a flow log may hold, 0 for no flow log. */
  readonly flowLogRecords: number;
  /** Whether everything is recorded and streamed to the command. */
  readonly trace: boolean;
  /** Least time between what is recorded and the command's having it, 0: when a chunk is full. */
  readonly traceFlushUs: number;
  readonly tcp: TrafficTcp;
  readonly netfront: TrafficNetfront;
}

/** Offloads that the frontends shall agree on with their backend. */
export interface TrafficNetfront {
  readonly checksumOffload: boolean;
  readonly gso: boolean;
  readonly gro: boolean;
  readonly queues: number;
  /** Pages for packets to refer to. */
  readonly lentPages: number;
}

/** What the frontends of a domain did with offloads, in packets. */
export interface OffloadCounts {
  readonly blankChecksumsSent: number;
  readonly blankChecksumsReceived: number;
  readonly gsoSent: number;
  /** Those whose payload was not copied into a transmit buffer. */
  readonly referringSent: number;
  readonly gsoReceived: number;
  readonly groJoined: number;
  /** Queues of the first frontend that were agreed on with its backend: what each has sent and received. */
  readonly queues: readonly QueueCounts[];
}

/** Packets of one queue of a frontend. */
export interface QueueCounts {
  readonly sent: number;
  readonly received: number;
}

export interface TrafficTcp {
  readonly sndBuf?: number;
  readonly rcvBuf?: number;
  readonly mss?: number;
  readonly congestion: 'cubic' | 'newreno' | 'bbr';
  readonly noDelay: boolean;
}

/** One stream over one span of time. Times are microseconds since the domain's flows were all up. */
export interface StreamSample {
  readonly id: number;
  readonly sender: boolean;
  readonly startUs: number;
  readonly endUs: number;
  /** Sender: handed to TCP; receiver: taken from TCP. */
  readonly bytes: number;
  /** Segments retransmitted in the span. */
  readonly retransmits: number;
  readonly cwndBytes: number;
  readonly sndWndBytes: number;
  readonly rttUs: number;
  readonly rttvarUs: number;
  readonly pmtu: number;
}

/** One stream when all is over: the sample over the whole run and what only the end knows. */
export interface StreamEnd extends StreamSample {
  readonly maxCwndBytes: number;
  readonly maxSndWndBytes: number;
  readonly maxRttUs: number;
  readonly minRttUs: number;
  readonly meanRttUs: number;
  readonly ssthreshBytes: number;
  readonly mss: number;
  /** Bytes that were compared with the pattern, and how many were wrong; the stream offset of the first, or -1. */
  readonly verifiedBytes: number;
  readonly wrongBytes: number;
  readonly firstWrong: number;
  /** The flow was reset because it had not drained in time after the end of the test. */
  readonly cut: boolean;
  /** TCP's error code, where the flow died. */
  readonly error: string | undefined;
}

export interface ConnectedStream {
  readonly id: number;
  readonly localHost: string;
  readonly localPort: number;
  readonly remoteHost: string;
  readonly remotePort: number;
  readonly mss: number;
}

/** From a domain to the command. */
export type DomainMessage =
  /** The network is up; the server listens. */
  | { readonly type: 'ready' }
  | { readonly type: 'connected'; readonly streams: readonly ConnectedStream[] }
  | { readonly type: 'interval'; readonly streams: readonly StreamSample[] }
  | { readonly type: 'live'; readonly startUs: number; readonly endUs: number; readonly bytes: number }
  | { readonly type: 'flow-log'; readonly id: number; readonly log: FlowLogHandle }
  | { readonly type: 'trace'; readonly trace: TraceMessage }
  | { readonly type: 'failed'; readonly message: string }
  | {
      readonly type: 'end';
      readonly streams: readonly StreamEnd[];
      /** How often the stack found no room in the transmit ring. */
      readonly ringFullWaits: number;
      readonly offload: OffloadCounts;
      /** Share of the time since the flows were up that the virtual CPU was not blocked. */
      readonly busyShare: number;
    };

/**
 * From the command to a domain: `go` has the client connect; `stop` ends the sending as if the time were up; `exit` ends
 * the domain.
 */
export interface HostMessage {
  readonly type: 'go' | 'stop' | 'exit';
}

const FIRST_ID = 5;
const FIRST_LOCAL_PORT = 49_152;

/** @returns the flows of a test: `parallel` in each direction that is used; of `bytes`, each sends its share. */
export function planStreams(
  direction: 'forward' | 'reverse' | 'bidirectional',
  parallel: number,
  bytes: number,
): StreamPlan[] {
  const senders: DomainRole[] =
    direction === 'forward' ? ['client'] : direction === 'reverse' ? ['server'] : ['client', 'server'];
  const streams: StreamPlan[] = [];
  for (const sender of senders) {
    for (let i = 0; i < parallel; i++) {
      const share = Math.floor(bytes / parallel) + (i < bytes % parallel ? 1 : 0);
      const index = streams.length;
      streams.push({ id: FIRST_ID + 2 * index, localPort: FIRST_LOCAL_PORT + index, sender, bytes: share });
    }
  }
  return streams;
}
