import { type Figures, figuresOf } from './figures.ts';
import type { LabOptions } from './options.ts';
import { rate } from './table.ts';
import { runIdle, runTrial, type Trial } from './trial.ts';

/** One run with its figures. */
export interface LabRun {
  readonly trial: Trial;
  readonly figures: Figures;
}

/** Told what goes on while the lab runs. */
export interface LabObserver {
  /** A line for who waits. */
  progress(line: string): void;
  /** Gets each run at its end, with its flow log, which then is let go. */
  done(run: LabRun): void | Promise<void>;
}

/** Runs all that the options ask for, one after the other. @param runs gets the runs that have ended. */
export async function runLab(options: LabOptions, runs: LabRun[], observer: LabObserver): Promise<void> {
  const { machines, builds, txqueuelens, seed, seconds, idleSeconds } = options;
  const perBuild = txqueuelens.length * options.runs;
  const steps = machines.length * builds.length * (perBuild + (idleSeconds > 0 ? 1 : 0));
  let step = 0;
  const begin = (line: string): void => observer.progress(`${++step} of ${steps}: ${line}`);
  for (const machine of machines) {
    const where = machine === 'threads' ? 'in threads' : 'on virtual time';
    for (const build of builds) {
      if (idleSeconds > 0) begin(`${build} ${where}, idle for ${idleSeconds} s`);
      const idle = idleSeconds > 0 ? await runIdle(build, machine, idleSeconds, seed) : undefined;
      for (const txqueuelen of txqueuelens) {
        for (let i = 0; i < options.runs; i++) {
          begin(`${build} ${where}, txqueuelen ${txqueuelen}, ${seconds} s of traffic`);
          const record = options.flowLogs === undefined ? {} : { record: true };
          const trial = await runTrial({ build, machine, seconds, txqueuelen, seed: seed + i, run: i, ...record });
          const run: LabRun = { trial, figures: figuresOf(trial, idle) };
          observer.progress(`  ${outcome(run.figures)}`);
          await observer.done(run);
          runs.push({ ...run, trial: withoutTraces(trial) });
        }
      }
    }
  }
}

function outcome({ bitsPerSecond, stalls, longestMs }: Figures): string {
  if (stalls.length === 0) return `${rate(bitsPerSecond)}, no stall`;
  const many = stalls.length > 1 ? `${stalls.length} stalls, the longest` : 'a stall of';
  return `${rate(bitsPerSecond)}, ${many} ${longestMs.toFixed(0)} ms`;
}

/** Flow logs are large: a run keeps none. */
function withoutTraces(trial: Trial): Trial {
  const { sender, receiver } = trial;
  return { ...trial, sender: { ...sender, trace: undefined }, receiver: { ...receiver, trace: undefined } };
}
