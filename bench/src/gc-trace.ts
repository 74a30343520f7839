/** What V8's `--trace-gc` says about one thread of a process. */
export interface ThreadGc {
  scavenges: number;
  markCompacts: number;
  /** Growth of its heap after the warm-up in MB, as seen after collections. */
  heapGrowthMb: number;
}

export interface GcSummary {
  /** The thread that started the process. */
  readonly host: ThreadGc;
  /** All others together, the growth being the largest of any. */
  readonly others: ThreadGc;
}

// [4242:0x5581d20]      102 ms: Scavenge 4.1 (5.0) -> 3.6 (6.0) MB, 0.6 / 0.0 ms ...
// V8 prints past Node: such a line may come in the middle of another one.
const LINE = /\[\d+:(0x[0-9a-f]+)\][^\n]*\n?/g;
const COLLECTION = /\s(\d+(?:\.\d+)?) ms: (Scavenge|Mark-Compact)[^\d]*[\d.]+ \([\d.]+\) -> ([\d.]+) /;

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
  // The host's thread collects first: it loads the program.
  const threads = new Map<string, ThreadGc & { firstMb?: number }>();
  const rest = output.replace(LINE, (line, isolate: string) => {
    let thread = threads.get(isolate);
    if (!thread) threads.set(isolate, (thread = { scavenges: 0, markCompacts: 0, heapGrowthMb: 0 }));
    const match = COLLECTION.exec(line);
    if (!match || Number(match[1]) < warmUpMs) return '';
    if (match[2] === 'Scavenge') thread.scavenges++;
    else thread.markCompacts++;
    const afterMb = Number(match[3]);
    thread.firstMb ??= afterMb;
    thread.heapGrowthMb = Math.max(0, afterMb - thread.firstMb);
    return '';
  });
  const [host, ...others] = threads.values();
  return { summary: { host: total(host ? [host] : []), others: total(others) }, rest };
}

function total(threads: readonly ThreadGc[]): ThreadGc {
  return {
    scavenges: threads.reduce((sum, thread) => sum + thread.scavenges, 0),
    markCompacts: threads.reduce((sum, thread) => sum + thread.markCompacts, 0),
    heapGrowthMb: Math.max(0, ...threads.map((thread) => thread.heapGrowthMb)),
  };
}
