// `pnpm build`: tsc for what has changed, then bind-imports.mjs.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const STEPS = [['node_modules/typescript/bin/tsc', '-b'], ['scripts/bind-imports.mjs']];

for (const step of STEPS) {
  const { status } = spawnSync(process.execPath, step, {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
