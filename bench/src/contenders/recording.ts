import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Contender, Figures } from '../case.ts';
import { runNode } from '../child.ts';
import { onCleanup } from '../cleanup.ts';
import type { Mode, What } from '../recording/protocol.ts';

const MAIN = new URL('../recording/main.js', import.meta.url);
const OFF = new URL('../recording/off.js', import.meta.url);

/** One flow whose recording is switched off and on in turn; what is written goes to a file on disk. */
export function recording(name: string, what: What, mode: Mode): Contender {
  return {
    name,
    run: async ({ seconds, warmUpSeconds }) => {
      const directory = mkdtempSync(join(tmpdir(), 'qanat-bench-'));
      const remove = onCleanup(() => rmSync(directory, { recursive: true }));
      try {
        const args = [what, mode, `${seconds}`, `${warmUpSeconds}`, join(directory, 'log.qflow')];
        return JSON.parse(await runNode(MAIN, [], args)) as Figures;
      } finally {
        remove();
      }
    },
  };
}

/** Recording that is off, beside a stack that knows of none (`stripped`) or beside the same once more (`again`). */
export function recordingOff(name: string, way: 'stripped' | 'again'): Contender {
  return {
    name,
    run: async ({ seconds, warmUpSeconds }) =>
      JSON.parse(await runNode(OFF, [], [way, `${seconds}`, `${warmUpSeconds}`])) as Figures,
  };
}
