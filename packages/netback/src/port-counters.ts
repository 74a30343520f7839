/** Bytes pass 2^31: a counter that first held a fraction stays a double, and need not change its kind on the way. */
const FRACTION = 0.5;

/** What a queue of a port counts. `tx` and `rx` are the frontend's words: what it sent, and what it was given. */
export interface PortCounters {
  txPackets: number;
  txBytes: number;
  /** Packets that were answered with an error: too short, not understood, or with bad grants. */
  txErrors: number;
  rxPackets: number;
  rxBytes: number;
  /** Of the packets given to it, those that had to wait in the queue. */
  rxQueued: number;
  /** Packets lost because the frontend's posted pages could not be written to. */
  rxErrors: number;
  /** Packets lost because the queue was full (txqueuelen). */
  queueDrops: number;
  /** Packets lost because the packet buffers ran low. */
  bufferDrops: number;
  /** Packets lost because the frontend is not connected, or cannot take what they are. */
  otherDrops: number;
  /** Of the packets given to it, super-segments. */
  rxGso: number;
  /** Checksums that were computed for it, and super-segments that were cut for it, and into how many. */
  checksums: number;
  gsoCut: number;
  gsoSegments: number;
  /** Most packets that waited at once in one queue. */
  queueHighWater: number;
  notifications: number;
}

export function newPortCounters(): PortCounters {
  const counters: PortCounters = {
    txPackets: 0,
    txBytes: FRACTION,
    txErrors: 0,
    rxPackets: 0,
    rxBytes: FRACTION,
    rxQueued: 0,
    rxErrors: 0,
    queueDrops: 0,
    bufferDrops: 0,
    otherDrops: 0,
    rxGso: 0,
    checksums: 0,
    gsoCut: 0,
    gsoSegments: 0,
    queueHighWater: 0,
    notifications: 0,
  };
  counters.txBytes = 0;
  counters.rxBytes = 0;
  return counters;
}

/** @returns what several queues have counted together. */
export function sumPortCounters(parts: readonly PortCounters[]): PortCounters {
  const sum = newPortCounters();
  for (const part of parts) {
    for (const key of Object.keys(sum) as (keyof PortCounters)[]) {
      if (key === 'queueHighWater') sum[key] = Math.max(sum[key], part[key]);
      else sum[key] += part[key];
    }
  }
  return sum;
}
