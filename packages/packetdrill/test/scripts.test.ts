import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeResult } from '../src/run/result.ts';
import { runScript } from '../src/run/run-script.ts';

const ROOT = fileURLToPath(new URL('../scripts/', import.meta.url));
const FILES = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.pkt'))
  .sort();

describe('our scripts, by RFC section', () => {
  it('are there', () => {
    expect(FILES.length).toBeGreaterThan(150);
  });

  it.each(FILES)('%s', (file) => {
    expect(describeResult(runScript(file, readFileSync(ROOT + file, 'utf8')))).toBe(`ok ${file}`);
  });
});
