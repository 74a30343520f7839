import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'qanat-iperf-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function iperf(args: readonly string[], nodeOptions: readonly string[] = []) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...nodeOptions, MAIN, ...args], {
    encoding: 'utf8',
    cwd: directory,
    env: { PATH: process.env['PATH'] },
  });
  return { status, stdout, stderr };
}

// The built command, as users run it: `tsc -b` comes first.
describe.runIf(existsSync(MAIN))('the command', () => {
  it('measures between threads, and prints one JSON document', () => {
    const { status, stdout, stderr } = iperf([
      '--json',
      '-n',
      '2M',
      '--verify',
      '--pcap',
      'x.pcapng',
      '--flow-log',
      'x.log',
    ]);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      end: { sum_received: { bytes: 2 << 20 } },
      qanat: { machine: 'threads', verify: { bytes: 2 << 20, wrong_bytes: 0 }, faults: [] },
    });
    expect(readdirSync(directory).sort()).toEqual(['x.log', 'x.pcapng']);
    expect(readFileSync(join(directory, 'x.pcapng')).byteLength).toBeGreaterThan(2 << 20);
  }, 60_000);

  it('refuses bad input with one line and code 2, and writes nothing', () => {
    writeFileSync(join(directory, 'plain'), '');
    for (const args of [['--frobnicate'], ['-p', '0'], ['--server-ip', '1.2.3'], ['--pcap', 'plain/x.pcapng']]) {
      const { status, stdout, stderr } = iperf(['--json', ...args]);
      expect(status).toBe(2);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^iperf: [^\n]+\n$/);
    }
    expect(readdirSync(directory)).toEqual(['plain']);
  }, 60_000);

  it('says so when there is no SharedArrayBuffer, and runs without it where it can', () => {
    const without = join(directory, 'without.cjs');
    writeFileSync(without, 'delete globalThis.SharedArrayBuffer;');
    const refused = iperf([], ['--require', without]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/^iperf: SharedArrayBuffer is missing[^\n]*--machine cooperative\n$/);
    const cooperative = iperf(['--machine', 'cooperative', '-n', '100K'], ['--require', without]);
    expect(cooperative.stderr).toBe('');
    expect(cooperative.status).toBe(0);
  }, 60_000);

  it('shows help and version on standard output', () => {
    expect(iperf(['--help'])).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('Usage: iperf') });
    expect(iperf(['--version']).status).toBe(0);
  }, 60_000);
});
