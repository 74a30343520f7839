import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MACHINE_RING_PUSH, MACHINE_SLEEP_FAULT, MACHINE_WAKE, readTrace } from '@qanat/flowlog';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LabOptions, parseOptions } from '../src/options.ts';
import type { JsonRun } from '../src/report-json.ts';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'qanat-stall-lab-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function lab(...args: readonly string[]) {
  const env = { PATH: process.env['PATH'] };
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', cwd: directory, env });
}

/** Runs the command until it has told so many lines, then as Ctrl-C does. */
async function interrupted(lines: number, args: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: directory });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    if (!child.killed && stderr.split('\n').length > lines) child.kill('SIGINT');
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

describe('options', () => {
  it('have defaults that make the whole experiment', () => {
    expect(parseOptions([])).toEqual({
      seconds: 10,
      idleSeconds: 2,
      machines: ['threads', 'virtual'],
      builds: ['2013', '2013-masked', 'qanat'],
      txqueuelens: [1000, 32],
      runs: 1,
      seed: 1,
      html: 'stall-lab.html',
      flowLogs: undefined,
      json: false,
    } satisfies LabOptions);
  });

  it('choose parts of it', () => {
    const args = ['--machine', 'virtual', '--builds', 'qanat,2013', '--txqueuelen', '32', '-t', '0.5', '--no-html'];
    expect(parseOptions(args)).toMatchObject({
      seconds: 0.5,
      machines: ['virtual'],
      builds: ['2013', 'qanat'],
      txqueuelens: [32],
      html: undefined,
    });
  });

  it.each([
    [['--builds', '2014'], "--builds '2014' is unknown: give some of 2013, 2013-masked, qanat"],
    [['--machine', 'cooperative'], "--machine 'cooperative' is unknown: give threads, virtual or both"],
    [['--txqueuelen', '64'], "--txqueuelen '64' is unknown: give 1000, 32 or both"],
    [['--time', '0'], "--time '0': give 0.1 to 600 seconds"],
    [['--runs', '0'], "--runs '0': give 1 to 100 as a whole number"],
    [['--seed', '1.5'], "--seed '1.5': give 0 to 4294967295 as a whole number"],
    [['--html', ''], '--html needs the name of a file'],
    [['more'], "argument 'more' is not understood"],
    [['--tiem', '3'], "unknown option '--tiem'"],
  ])('say in one line what is wrong with %j', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
    expect(() => parseOptions(args)).not.toThrow(/\n/);
  });
});

// The built command, as users run it: `tsc -b` comes first.
describe.runIf(existsSync(MAIN))('the command', () => {
  it('runs the three builds, prints a table, and writes a report with the flows above each other', () => {
    const args = ['--machine', 'virtual', '--txqueuelen', '1000', '--time', '0.5', '--idle', '0.05'];
    const { status, stdout, stderr } = lab(...args);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^1 of 6: 2013 on virtual time, idle for 0.05 s\n2 of 6: 2013 on virtual time, txqueuelen 1000, /,
    );
    expect(stderr).toMatch(/\n6 of 6: qanat .*\n {2}\S+ Gbit\/s, no stall\nreport: stall-lab.html\n$/);
    expect(stdout).toMatch(/^\nOn virtual time:\n\nbuild +txqueuelen +throughput +stalls > 100 ms/);
    for (const build of ['2013', '2013-masked', 'qanat']) expect(stdout).toMatch(new RegExp(`^${build} +1000`, 'm'));
    expect(stdout).toContain('auditor: netif of 2013: a writer that needs 2 tx slots waits for an event');
    const html = readFileSync(join(directory, 'stall-lab.html'), 'utf8');
    // The flows, and the stall close up, on a light and on a dark ground.
    expect(html.match(/<svg /g)).toHaveLength(3);
    expect(html).toContain('Ring occupancy');
    expect(html.match(/class="bytes"/g)).toHaveLength(3);
    expect(html).toContain('2013, stall 1: ');
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    expect(html).not.toMatch(/(src|href)=/);
  });

  it('repeats runs with one seed after the other, and sums them up', () => {
    const args = ['--machine', 'virtual', '--txqueuelen', '1000', '--time', '0.3', '--idle', '0', '--runs', '2'];
    const { status, stdout } = lab(...args, '--builds', '2013,qanat', '--flow-logs', '.');
    expect(status).toBe(0);
    expect(stdout).toMatch(/^2013 +1000 .*\n2013 \(2\) +1000 .*\nqanat +1000 .*\nqanat \(2\) +1000 /m);
    expect(stdout).toMatch(
      /^build +txqueuelen +runs +with stalls .*\n2013 +1000 +2 +2 .* ms\nqanat +1000 +2 +0 .* -\n/m,
    );
    const html = readFileSync(join(directory, 'stall-lab.html'), 'utf8');
    expect(html).toContain('The first run of each is drawn.');
    expect(html.match(/class="bytes"/g)).toHaveLength(2);
    expect(readdirSync(directory)).toContain('2013-virtual-txqueuelen-1000-run-2.qflow');
  });

  it('tells of the runs that have ended when it is interrupted, and leaves no empty report behind', async () => {
    const args = ['--machine', 'virtual', '--txqueuelen', '1000', '--idle', '0', '--runs', '100'];
    const after = (lines: number) =>
      interrupted(lines, [...args, '--builds', '2013', '--time', '0.3', '--html', `${lines}.html`]);
    const first = await after(1);
    expect(first).toMatchObject({ code: 130, stdout: '' });
    expect(first.stderr).toContain('interrupted: 0 runs have ended\n');
    expect(existsSync(join(directory, '1.html'))).toBe(false);
    const second = await after(3);
    expect(second).toMatchObject({ code: 130, stdout: expect.stringMatching(/^2013 +1000 /m) });
    expect(readFileSync(join(directory, '3.html'), 'utf8')).toContain('class="bytes"');
  });

  it('prints one JSON document', () => {
    const args = ['--json', '--no-html', '--machine', 'virtual', '--txqueuelen', '1000', '--idle', '0'];
    const { status, stdout } = lab(...args, '--builds', '2013', '--time', '0.5');
    expect(status).toBe(0);
    const { runs } = JSON.parse(stdout) as { runs: JsonRun[] };
    expect(runs).toMatchObject([
      { build: '2013', machine: 'virtual', txqueuelen: 1000, stallsBy: { 'lost wake-up': 1, loss: 0 } },
    ]);
    expect(runs[0]!.explanations[0]![0]).toContain('lost wake-up');
  });

  it('writes flow logs with both ends of the flow and the sleeps that were wrong', () => {
    const args = ['--no-html', '--flow-logs', 'logs', '--machine', 'virtual', '--txqueuelen', '1000', '--idle', '0'];
    expect(lab(...args, '--builds', '2013', '--time', '0.5').status).toBe(0);
    const file = join(directory, 'logs', '2013-virtual-txqueuelen-1000.qflow');
    const { sources, flows, problems } = readTrace(readFileSync(file));
    expect(problems).toEqual([]);
    expect(sources.map(({ name }) => name)).toEqual(['sender', 'receiver']);
    expect(flows.map(({ mss }) => mss)).toEqual([1460, 1460]);
    expect(flows[0]!.segments.rows).toBeGreaterThan(1000);
    const { machine, strings } = sources[0]!;
    const fault = machine.kind.subarray(0, machine.rows).lastIndexOf(MACHINE_SLEEP_FAULT);
    expect(strings[machine.a[fault]!]).toContain('waits for an event, not for the slots: 256 of 256 are free');
    expect(machine.kind).toContain(MACHINE_RING_PUSH);
    expect(machine.kind).toContain(MACHINE_WAKE);
  });

  it('ends with code 2 and one line for bad input', () => {
    expect(lab('--builds', 'x')).toMatchObject({
      status: 2,
      stderr: "stall-lab: --builds 'x' is unknown: give some of 2013, 2013-masked, qanat\n",
    });
    expect(lab('--flow-logs', '/dev/null/logs', '--no-html')).toMatchObject({
      status: 2,
      stderr: 'stall-lab: --flow-logs /dev/null/logs cannot be made (ENOTDIR)\n',
    });
    // What stood there is not lost.
    writeFileSync(join(directory, 'old.html'), 'old');
    expect(lab('--html', 'old.html', '--flow-logs', '/dev/null/logs').status).toBe(2);
    expect(readFileSync(join(directory, 'old.html'), 'utf8')).toBe('old');
    expect(lab('--html', '/nowhere/at/all.html')).toMatchObject({
      status: 2,
      stderr: 'stall-lab: --html /nowhere/at/all.html cannot be written (ENOENT)\n',
    });
  });
});
