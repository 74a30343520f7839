import type { BenchCase } from '../case.ts';
import { DOMAIN_CASES } from './domains.ts';
import { PIPE_CASES } from './pipe.ts';

export const CASES: readonly BenchCase[] = [...PIPE_CASES, ...DOMAIN_CASES];
