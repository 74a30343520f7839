import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Contender, Figures } from '../case.ts';

/** Made by setup.sh. */
const PROGRAM = fileURLToPath(new URL('../../build/lwip-pipe', import.meta.url));

const run = promisify(execFile);

/** lwIP with two netifs back to back in one process (native/lwip-pipe.c). @param mode bulk, ping-pong or connections. */
export function lwip(name: string, mode: string): Contender {
  return {
    name,
    missing: () => (existsSync(PROGRAM) ? undefined : 'not built: bench/setup.sh does it'),
    run: async ({ seconds }) => {
      const { stdout } = await run(PROGRAM, [mode, `${seconds}`]);
      return JSON.parse(stdout) as Figures;
    },
  };
}
