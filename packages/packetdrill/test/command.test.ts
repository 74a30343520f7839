import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from '../src/command.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'packetdrill-'));
  mkdirSync(join(dir, 'sub'));
  writeFileSync(join(dir, 'b.pkt'), '0 < S 0:0(0) win 1\n+0 > R. 0:0(0) ack 1');
  writeFileSync(join(dir, 'sub', 'c.pkt'), '0 `frobnicate`');
  writeFileSync(join(dir, 'notes.txt'), 'no script');
  mkdirSync(join(dir, 'bad'));
  writeFileSync(join(dir, 'bad', 'd.pkt'), '0 < S 0:0(0) win 1\n+0 > R. 0:0(0) ack 2');
  writeFileSync(join(dir, 'bad', 'e.pkt'), '0 < S 0:0(0) win WINDOW\n+0 > R. 0:0(0) ack 1');
});
afterAll(() => rmSync(dir, { recursive: true }));

function run(...args: string[]): { code: number; out: string; error: string } {
  let out = '';
  let error = '';
  const code = main(['node', 'packetdrill', ...args], {
    out: (text) => (out += text),
    error: (text) => (error += text),
  });
  return { code, out, error };
}

describe('the command', () => {
  it('prints a line for each script and the totals; failures make the exit code', () => {
    const { code, out } = run(dir);
    const lines = out.trimEnd().split('\n');
    expect(lines).toEqual([
      `ok ${join(dir, 'b.pkt')}`,
      `FAIL ${join(dir, 'bad', 'd.pkt')}:2: ack: expected 2, got 1 | expected: > R. 0:0(0) ack 2 | got: > R. 0:0(0) ack 1 win 0 at 0.000000 s`,
      `FAIL ${join(dir, 'bad', 'e.pkt')}:1:18: expected a window, found "WINDOW"`,
      `skipped: ${join(dir, 'sub', 'c.pkt')}: the command \`frobnicate\` is not known`,
      '1 passed, 2 failed, 1 skipped',
    ]);
    expect(code).toBe(1);
  });

  it('succeeds when nothing failed, and takes definitions', () => {
    expect(run(join(dir, 'b.pkt'), join(dir, 'sub')).code).toBe(0);
    expect(run('-D', 'WINDOW=9', join(dir, 'bad', 'e.pkt'))).toMatchObject({
      code: 0,
      out: expect.stringMatching(/1 passed, 0 failed, 0 skipped\n$/),
    });
  });

  it('--json is one document', () => {
    const { out } = run('--json', dir);
    expect(JSON.parse(out)).toMatchObject({
      passed: 1,
      failed: 2,
      skipped: 1,
      psh: 'lenient',
      results: [{ status: 'ok' }, { status: 'FAIL', line: 2 }, { column: 18 }, { status: 'skipped' }],
    });
  });

  it('--verbose tells the error of each time', () => {
    expect(run('--verbose', join(dir, 'b.pkt')).out).toContain('  line 2: +0 us');
  });

  it.each([
    [[]],
    [['--psh', 'x', '.']],
    [['--tolerance_usecs', '-1', '.']],
    [['-D', '=', '.']],
    [['--frob', '.']],
    [['/no/such/file']],
  ])('%j is wrong usage', (args) => {
    const { code, out, error } = run(...args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(error).not.toBe('');
  });

  it('--help is no error', () => {
    expect(run('--help')).toMatchObject({ code: 0, out: expect.stringMatching(/--tolerance_usecs/) });
  });
});
