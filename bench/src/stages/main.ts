/** Measures all stages in a process of its own; prints the groups as JSON. */
import { machineStages } from './machine.ts';
import { primitives } from './primitives.ts';
import { stackStages } from './stack.ts';
import type { StageGroup } from './stage.ts';

const groups: StageGroup[] = [...primitives(), await machineStages(), ...stackStages()];
process.stdout.write(`${JSON.stringify(groups)}\n`);
