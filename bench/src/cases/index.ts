import type { BenchCase } from '../case.ts';
import { PIPE_CASES } from './pipe.ts';

export const CASES: readonly BenchCase[] = [...PIPE_CASES];
