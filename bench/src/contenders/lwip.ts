import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Contender, Figures } from '../case.ts';
import { runProgram } from '../child.ts';

const BUILD = new URL('../../build/', import.meta.url);

/**
 * lwIP with two netifs back to back in one process (native/lwip-pipe.c).
 * @param mode bulk, ping-pong or connections. @param program lwip-pipe, or lwip-pipe-lto for the one linked as a whole.
 */
export function lwip(name: string, mode: string, program = 'lwip-pipe'): Contender {
  const path = fileURLToPath(new URL(program, BUILD));
  return {
    name,
    missing: () => (existsSync(path) ? undefined : 'not built: bench/setup.sh does it'),
    run: async ({ seconds }) => JSON.parse((await runProgram(path, [mode, `${seconds}`])).stdout) as Figures,
  };
}
