import { readFileSync } from 'node:fs';

/** What all CPUs of this machine have done since it started, in ticks. */
interface CpuTicks {
  readonly all: number;
  /** Time that a CPU wanted to run and the machine's host gave to others (proc_stat(5)). */
  readonly stolen: number;
}

/** Place of `steal` in the first line of /proc/stat, and the number of fields that make up all time: the guests' are in others. */
const STEAL = 7;
const FIELDS = 8;
const SAMPLE_MS = 100;

function cpuTicks(): CpuTicks | undefined {
  let text: string;
  try {
    text = readFileSync('/proc/stat', 'latin1');
  } catch {
    return undefined;
  }
  const line = text.slice(0, text.indexOf('\n'));
  const ticks = line
    .trim()
    .split(/\s+/)
    .slice(1, 1 + FIELDS)
    .map(Number);
  return { all: ticks.reduce((sum, count) => sum + count, 0), stolen: ticks[STEAL] ?? 0 };
}

/** Notes ten times a second how much time the machine's host has taken from it. Where that cannot be known it is none. */
export class StolenTime {
  readonly #samples: (CpuTicks & { readonly atMs: number })[] = [];
  readonly #timer = setInterval(() => this.note(Date.now(), cpuTicks()), SAMPLE_MS);

  constructor() {
    this.#timer.unref();
  }

  /** Adds a sample. */
  note(atMs: number, ticks: CpuTicks | undefined): void {
    if (ticks !== undefined) this.#samples.push({ ...ticks, atMs });
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** @returns the share of the CPUs' time between two moments (milliseconds of `Date.now`) that was stolen, 0..1. */
  share(fromMs: number, toMs: number): number {
    const first = this.#samples.findLast(({ atMs }) => atMs <= fromMs) ?? this.#samples[0];
    const last = this.#samples.find(({ atMs }) => atMs >= toMs) ?? this.#samples.at(-1);
    if (first === undefined || last === undefined || last.all <= first.all) return 0;
    return (last.stolen - first.stolen) / (last.all - first.all);
  }
}
