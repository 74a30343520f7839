/** What a run found: filled while it runs, read by the reports. */
import type { IperfOptions } from './options.ts';
import type { ConnectedStream, OffloadCounts, StreamEnd, StreamPlan, StreamSample } from './protocol.ts';

export interface DomainCounters {
  readonly name: string;
  readonly domid: number;
  readonly loops: number;
  readonly sleeps: number;
  readonly blockedUs: number;
  readonly hypercalls: number;
  readonly events: number;
  readonly spuriousWakes: number;
  readonly ringFullWaits: number;
  /** None for Dom0. */
  readonly offload: OffloadCounts | undefined;
}

export interface BridgePortCounters {
  readonly port: string;
  readonly forwarded: number;
  readonly queueDrops: number;
  readonly impairmentDrops: number;
}

export interface CpuUse {
  /** Percent of one core that the client's and the server's virtual CPU were busy. */
  readonly client: number;
  readonly server: number;
  /** Share of the process's CPU time that was spent in the kernel of the host, 0..1. */
  readonly systemShare: number;
}

export interface IperfResult {
  readonly options: IperfOptions;
  readonly plans: readonly StreamPlan[];
  readonly startedAt: Date;
  connected: readonly ConnectedStream[];
  readonly clientIntervals: (readonly StreamSample[])[];
  readonly serverIntervals: (readonly StreamSample[])[];
  clientEnd: readonly StreamEnd[];
  serverEnd: readonly StreamEnd[];
  domains: readonly DomainCounters[];
  bridge: readonly BridgePortCounters[];
  cpu: CpuUse;
  interrupted: boolean;
  /** What was logged, and the records that the logs could not hold, by stream. */
  readonly flowLogs: {
    readonly id: number;
    readonly path: string;
    readonly records: number;
    readonly overwritten: number;
  }[];
}

/** The `id` of a flow log that has all streams, both ends, and the machine. */
export const WHOLE_RUN = 0;

export function emptyResult(options: IperfOptions, plans: readonly StreamPlan[], startedAt: Date): IperfResult {
  return {
    options,
    plans,
    startedAt,
    connected: [],
    clientIntervals: [],
    serverIntervals: [],
    clientEnd: [],
    serverEnd: [],
    domains: [],
    bridge: [],
    cpu: { client: 0, server: 0, systemShare: 0 },
    interrupted: false,
    flowLogs: [],
  };
}

/** Both ends of one stream. */
export interface StreamEnds {
  readonly plan: StreamPlan;
  readonly sender: StreamEnd;
  readonly receiver: StreamEnd;
}

/** @returns the streams that both ends reported, in order. */
export function pairEnds(result: IperfResult): StreamEnds[] {
  const pairs: StreamEnds[] = [];
  for (const plan of result.plans) {
    const client = result.clientEnd.find((end) => end.id === plan.id);
    const server = result.serverEnd.find((end) => end.id === plan.id);
    if (!client || !server) continue;
    const [sender, receiver] = plan.sender === 'client' ? [client, server] : [server, client];
    pairs.push({ plan, sender, receiver });
  }
  return pairs;
}

/** Several streams over one span, added up. */
export interface Sum {
  readonly startUs: number;
  readonly endUs: number;
  readonly bytes: number;
  readonly retransmits: number;
}

export function sum(samples: readonly StreamSample[]): Sum {
  let startUs = Number.POSITIVE_INFINITY;
  let endUs = 0;
  let bytes = 0;
  let retransmits = 0;
  for (const sample of samples) {
    startUs = Math.min(startUs, sample.startUs);
    endUs = Math.max(endUs, sample.endUs);
    bytes += sample.bytes;
    retransmits += sample.retransmits;
  }
  return { startUs: samples.length > 0 ? startUs : 0, endUs, bytes, retransmits };
}

/** @returns bits per second of a span, 0 for an empty one. */
export function bitsPerSecond(span: { startUs: number; endUs: number; bytes: number }): number {
  const us = span.endUs - span.startUs;
  return us > 0 ? (span.bytes * 8e6) / us : 0;
}

/** @returns one line per thing that went wrong with a flow; none for a good run. */
export function faults(result: IperfResult): string[] {
  const lines: string[] = [];
  for (const { plan, sender, receiver } of pairEnds(result)) {
    if (receiver.wrongBytes > 0) {
      lines.push(`stream ${plan.id}: ${receiver.wrongBytes} wrong bytes, the first at offset ${receiver.firstWrong}`);
    }
    const complete = plan.bytes === 0 || result.interrupted || receiver.bytes === plan.bytes;
    if (sender.error !== undefined) lines.push(`stream ${plan.id}: the sender's flow died: ${sender.error}`);
    // A reset that the sender chose (it gave up draining) is no fault of the receiver's flow.
    else if (receiver.error !== undefined && !sender.cut) {
      lines.push(`stream ${plan.id}: the receiver's flow died: ${receiver.error}`);
    } else if (!complete) {
      lines.push(`stream ${plan.id}: ${receiver.bytes} of ${plan.bytes} bytes came`);
    } else if (!sender.cut && !receiver.cut && receiver.bytes !== sender.bytes) {
      lines.push(`stream ${plan.id}: ${sender.bytes} bytes were sent and ${receiver.bytes} came`);
    }
  }
  return lines;
}
