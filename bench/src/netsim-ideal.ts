import {
  BOTTLENECK_BITS_PER_SECOND,
  BUFFER_BYTES,
  FRAME_BYTES,
  roundTripsUs,
  SEGMENT_BYTES,
} from './netsim-bottleneck.ts';
import { jainIndex } from './statistics.ts';

/** What nobody can beat who begins with ten segments and doubles each round trip. */
export interface Ideal {
  /** Part of the time from the first SYN to the last byte in which the bottleneck can send. */
  readonly busy: number;
  /** Jain's index of the goodputs when the bottleneck is shared as evenly as the ramps allow. */
  readonly jain: number;
  readonly seconds: number;
}

const INITIAL_CWND = 10;
const STEP_US = 500;

/**
 * A fluid that is shared max-min: flow i may send at cwnd / RTT, where cwnd begins with ten segments a round trip after
 * the SYN, doubles each round trip, and ends at the buffer; nothing is lost, and no queue is needed.
 */
export function idealFlows(flows: number, bytesPerFlow: number, seed: number): Ideal {
  const framesPerUs = BOTTLENECK_BITS_PER_SECOND / 8e6 / FRAME_BYTES;
  const frames = bytesPerFlow / SEGMENT_BYTES;
  const mostCwnd = BUFFER_BYTES / SEGMENT_BYTES;
  const active = roundTripsUs(flows, seed).map((rttUs) => ({ rttUs, left: frames, cap: 0 }));
  const doneAtUs: number[] = [];
  let nowUs = 0;
  while (doneAtUs.length < flows) {
    const unfinished = active.filter((flow) => flow.left > 0);
    for (const flow of unfinished) {
      const round = Math.floor(nowUs / flow.rttUs) - 1;
      flow.cap = round < 0 ? 0 : Math.min(INITIAL_CWND * 2 ** round, mostCwnd) / flow.rttUs;
    }
    // The smallest first: what it leaves is the others'.
    unfinished.sort((a, b) => a.cap - b.cap);
    let free = framesPerUs;
    nowUs += STEP_US;
    unfinished.forEach((flow, i) => {
      const rate = Math.min(flow.cap, free / (unfinished.length - i));
      free -= rate;
      flow.left -= rate * STEP_US;
      if (flow.left <= 0) doneAtUs.push(nowUs);
    });
  }
  const seconds = nowUs / 1e6;
  return {
    busy: (flows * frames) / framesPerUs / nowUs,
    jain: jainIndex(doneAtUs.map((us) => 1 / us)),
    seconds,
  };
}
