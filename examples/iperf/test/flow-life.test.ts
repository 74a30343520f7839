import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  EVENT_CLOSE,
  EVENT_ERROR,
  EVENT_STATE,
  EVENT_WAIT,
  EVENT_WAKE,
  type FlowTrace,
  isReceived,
  MACHINE_DROP,
  readTrace,
  WAIT_CLOSE,
} from '@qanat/flowlog';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type IperfOptions, parseOptions } from '../src/options.ts';
import { IperfRun } from '../src/run.ts';

const SYN = 0x02;
const FIN = 0x01;
const TIME_WAIT = 6;
const CLOSED = 7;
const BUILT = fileURLToPath(new URL('../dist/main.js', import.meta.url));

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'qanat-iperf-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** @returns the errors that were told. */
async function run(line: string): Promise<string[]> {
  const errors: string[] = [];
  const silent = {
    isTerminal: false,
    lines: () => {},
    live: () => {},
    error: (text: string) => void errors.push(text),
  };
  const code = await new IperfRun(parseOptions(line.split(' ')) as IperfOptions, silent).run();
  expect(code).toBe(errors.length === 0 ? 0 : 1);
  return errors;
}

const flagsOf = (info: number): number => (info >>> 8) & 0xff;

/** Segments with a flag, sent or received. */
function count({ segments }: FlowTrace, flag: number, rx: boolean): number {
  return [...segments.info.subarray(0, segments.rows)].filter(
    (info) => isReceived(info) === rx && (flagsOf(info) & flag) !== 0,
  ).length;
}

function states({ events }: FlowTrace): number[] {
  return [...events.kind].flatMap((kind, row) => (kind === EVENT_STATE ? [events.b[row]!] : []));
}

function has({ events }: FlowTrace, kind: number, a: number): boolean {
  return [...events.kind].some((each, row) => each === kind && events.a[row] === a);
}

/** Of every connection both ends were recorded from the first segment to the last. */
function expectWholeLives(path: string, connections: number): void {
  const { flows, problems } = readTrace(readFileSync(path));
  expect(problems).toEqual([]);
  expect(flows.length).toBe(2 * connections);
  for (const flow of flows) {
    for (const flag of [SYN, FIN]) {
      for (const rx of [false, true]) expect(count(flow, flag, rx)).toBeGreaterThan(0);
    }
    expect(has(flow, EVENT_CLOSE, 0)).toBe(true);
    // Who ends first has nothing to wait for but TIME-WAIT; the other one waits for its last acknowledgment.
    const last = states(flow).at(-1);
    expect([TIME_WAIT, CLOSED]).toContain(last);
    expect(has(flow, EVENT_WAKE, WAIT_CLOSE)).toBe(true);
    if (last === TIME_WAIT) continue;
    expect(has(flow, EVENT_WAIT, WAIT_CLOSE)).toBe(true);
    const { segments } = flow;
    expect(isReceived(segments.info[segments.rows - 1]!)).toBe(true);
  }
  expect(flows.map((flow) => states(flow).at(-1)).sort()).toEqual([
    ...Array.from({ length: connections }, () => TIME_WAIT),
    ...Array.from({ length: connections }, () => CLOSED),
  ]);
}

describe('a flow log shows the whole life of a flow at both ends', () => {
  it.each([
    ['by bytes', '-n 100K --delay 20ms', 1],
    ['by time, both ways', '-t 0.3 --rate 20M --bidir', 2],
    ['with loss', '-n 200K -P 6 --loss 10 --delay 2ms --seed 4', 6],
    ['reverse', '-R -n 50K', 1],
  ])('on virtual time, %s', async (_, line, connections) => {
    const path = join(directory, 'run.qflow');
    expect(await run(`--machine virtual ${line} --flow-log ${path}`)).toEqual([]);
    expectWholeLives(path, connections);
  });

  // The built command, as users run it.
  it.runIf(existsSync(BUILT))(
    'between threads',
    async () => {
      const path = join(directory, 'run.qflow');
      await promisify(execFile)(process.execPath, [BUILT, '-n', '2M', '-P', '2', '--bidir', '--flow-log', path]);
      expectWholeLives(path, 4);
    },
    30_000,
  );
});

describe('a flow log of a run that failed', () => {
  it('is whole, and says what every domain saw of the failure', async () => {
    const path = join(directory, 'run.qflow');
    const [error] = await run(`--machine virtual -t 1 --loss 100 --flow-log ${path}`);
    expect(error).toMatch(/^client: connect EHOSTUNREACH/);
    const { flows, sources, problems } = readTrace(readFileSync(path));
    expect(problems).toEqual([]);
    expect(flows.map((flow) => states(flow).at(-1))).toEqual([CLOSED]);
    const { events, source } = flows[0]!;
    const row = events.kind.indexOf(EVENT_ERROR);
    expect(sources.find(({ id }) => id === source)!.strings[events.a[row]!]).toBe('EHOSTUNREACH');
    expect(sources.map(({ name }) => name)).toEqual(['Domain-0', 'server', 'client']);
    for (const { machine } of sources) expect(machine.rows).toBeGreaterThan(0);
    expect(sources[0]!.machine.kind).toContain(MACHINE_DROP);
  });
});
