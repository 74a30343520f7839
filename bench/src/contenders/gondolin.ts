import { existsSync } from 'node:fs';
import type { Contender, Figures } from '../case.ts';
import { runNode } from '../child.ts';

const CHILD = new URL('./gondolin-child.js', import.meta.url);
/** Installed by setup.sh. */
export const NETWORK_STACK = new URL(
  '../../build/gondolin/node_modules/@earendil-works/gondolin/dist/src/network-stack.js',
  import.meta.url,
);

/**
 * gondolin's gateway stack, alone in one thread: the guest beside it costs next to nothing, as its frames are made
 * before, and neither checks nor builds checksums. @param direction whether the gateway receives or sends.
 */
export function gondolin(name: string, direction: 'receives' | 'sends'): Contender {
  return {
    name,
    missing: () => (existsSync(NETWORK_STACK) ? undefined : 'not installed: bench/setup.sh does it'),
    run: async ({ seconds, warmUpSeconds }) =>
      JSON.parse(await runNode(CHILD, [], [direction, `${seconds}`, `${warmUpSeconds}`])) as Figures,
  };
}
