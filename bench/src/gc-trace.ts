/** What `node --trace-gc` says about the threads of a process. */
export interface GcSummary {
  readonly scavenges: number;
  readonly markCompacts: number;
  /** The largest growth of any thread's heap after its warm-up, in MB, as seen after collections. */
  readonly heapGrowthMb: number;
  /** Threads that collected at all. */
  readonly threads: number;
}

// [4242:0x5581d20]      102 ms: Scavenge 4.1 (5.0) -> 3.6 (6.0) MB, 0.6 / 0.0 ms ...
const LINE =
  /^\[\d+:(0x[0-9a-f]+)\]\s+(\d+(?:\.\d+)?) ms: (Scavenge|Mark-Compact)[^\d]*([\d.]+) \([\d.]+\) -> ([\d.]+) /;

export interface GcTrace {
  readonly summary: GcSummary;
  /** The output without the trace. */
  readonly rest: string;
}

/**
 * Takes the garbage collector's lines out of a process's output.
 * @param warmUpMs collections before this age of a thread are left out.
 */
export function splitGcTrace(output: string, warmUpMs: number): GcTrace {
  const rest: string[] = [];
  const heaps = new Map<string, { first: number; last: number }>();
  let scavenges = 0;
  let markCompacts = 0;
  for (const line of output.split('\n')) {
    const match = LINE.exec(line);
    if (!match) {
      if (!/^\[\d+:0x[0-9a-f]+\]/.test(line)) rest.push(line);
      continue;
    }
    if (Number(match[2]) < warmUpMs) continue;
    if (match[3] === 'Scavenge') scavenges++;
    else markCompacts++;
    const after = Number(match[5]);
    const heap = heaps.get(match[1]!);
    if (heap) heap.last = after;
    else heaps.set(match[1]!, { first: after, last: after });
  }
  const growths = [...heaps.values()].map(({ first, last }) => last - first);
  const heapGrowthMb = Math.max(0, ...growths);
  return { summary: { scavenges, markCompacts, heapGrowthMb, threads: heaps.size }, rest: rest.join('\n') };
}
