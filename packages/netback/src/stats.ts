import type { ImpairmentCounters } from '@qanat/link';
import type { Bridge, BridgeCounters } from './bridge.ts';
import type { PortCounters } from './port-counters.ts';

/** What one port has counted, for reports. */
export interface PortStats extends PortCounters {
  readonly name: string;
  readonly domid: number;
  readonly connected: boolean;
  readonly txqueuelen: number;
  /** Packets that wait now. */
  readonly queued: number;
  /** Packets under way on the impaired link now. */
  readonly delayed: number;
  /** What each queue has counted, where the frontend has several. */
  readonly queues?: readonly PortCounters[];
  /** All losses at this port: queue, buffers, impaired link and others. */
  readonly drops: number;
  readonly impairment?: ImpairmentCounters;
}

/** What one bridge has counted. Structured-cloneable. */
export interface BridgeStats extends BridgeCounters {
  readonly name: string;
  readonly ports: readonly PortStats[];
}

export function bridgeStats(bridge: Bridge): BridgeStats {
  const ports: PortStats[] = [];
  for (const port of bridge.ports) {
    if (port === undefined) continue;
    const { counters, impairment, queues } = port;
    const lost = impairment === undefined ? 0 : impairment.counters.lost + impairment.counters.queueDrops;
    ports.push({
      ...counters,
      name: port.name,
      domid: port.domid,
      connected: port.isConnected,
      txqueuelen: port.txqueuelen,
      queued: port.queued,
      delayed: port.delayed,
      drops: counters.queueDrops + counters.bufferDrops + counters.otherDrops + counters.rxErrors + lost,
      ...(queues.length === 1 ? {} : { queues: queues.map((queue) => ({ ...queue.counters })) }),
      ...(impairment === undefined ? {} : { impairment: { ...impairment.counters } }),
    });
  }
  return { ...bridge.counters, name: bridge.name, ports };
}
