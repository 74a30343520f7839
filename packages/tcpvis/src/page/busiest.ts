import type { Summary } from './protocol.ts';

/** The flow with the most data, at the end that sends it: while a log grows, the receiver's rows may be ahead of the sender's. */
export function busiest({ flows }: Pick<Summary, 'flows'>): number {
  let best = 0;
  flows.forEach((flow, index) => {
    const other = flows[best]!;
    if (flow.bytes > other.bytes) best = index;
    else if (flow.bytes === 0 && other.bytes === 0 && flow.rows > other.rows) best = index;
  });
  const { sends = true, peer = -1 } = flows[best] ?? {};
  return !sends && flows[peer]?.sends === true ? peer : best;
}
