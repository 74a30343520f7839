import { readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => vi.restoreAllMocks());

/** Runs an example of the README and returns what it prints. */
async function run(load: () => Promise<unknown>): Promise<unknown[]> {
  const lines: unknown[] = [];
  vi.spyOn(console, 'log').mockImplementation((line: unknown) => void lines.push(line));
  await load();
  return lines;
}

test('a machine with two domains in 15 lines', async () => {
  expect(await run(() => import('./readme/machine.ts'))).toEqual([[{ name: 'client', domid: 2, code: 5 }]]);
});

test('two stacks on a pipe in 15 lines', async () => {
  expect(await run(() => import('./readme/pipe.ts'))).toEqual(['5 bytes at 50000 us']);
});

test('the README shows these lines', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  for (const name of ['machine', 'pipe']) {
    const code = readFileSync(new URL(`./readme/${name}.ts`, import.meta.url), 'utf8');
    expect(readme).toContain(code);
    expect(code.split('\n').filter((line) => line !== '').length).toBeLessThanOrEqual(15);
  }
});
