import { type Figures, figuresOf } from './figures.ts';
import type { LabOptions } from './options.ts';
import { runIdle, runTrial, type Trial } from './trial.ts';

/** One run with its figures. */
export interface LabRun {
  readonly trial: Trial;
  readonly figures: Figures;
}

/**
 * Runs all that the options ask for, one after the other.
 * @param progress is told what comes next. @param done gets each run at its end, with its flow log, which then is let go.
 */
export async function runLab(
  options: LabOptions,
  progress: (line: string) => void,
  done: (run: LabRun) => void | Promise<void>,
): Promise<LabRun[]> {
  const { machines, builds, txqueuelens, seed, seconds, idleSeconds } = options;
  const runs: LabRun[] = [];
  for (const machine of machines) {
    for (const build of builds) {
      if (idleSeconds > 0) progress(`${machine}: ${build}, idle for ${idleSeconds} s`);
      const idle = idleSeconds > 0 ? await runIdle(build, machine, idleSeconds, seed) : undefined;
      for (const txqueuelen of txqueuelens) {
        progress(`${machine}: ${build}, txqueuelen ${txqueuelen}, ${seconds} s`);
        const record = options.flowLogs === undefined ? {} : { record: true };
        const trial = await runTrial({ build, machine, seconds, txqueuelen, seed, ...record });
        const run: LabRun = { trial, figures: figuresOf(trial, idle) };
        await done(run);
        runs.push({ ...run, trial: withoutTraces(trial) });
      }
    }
  }
  return runs;
}

/** Flow logs are large: a run keeps none. */
function withoutTraces(trial: Trial): Trial {
  const { sender, receiver } = trial;
  return { ...trial, sender: { ...sender, trace: undefined }, receiver: { ...receiver, trace: undefined } };
}
