import { Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import type { BenchCase, Figures } from '../src/case.ts';
import { caseTable } from '../src/case-table.ts';
import { CASES } from '../src/cases/index.ts';
import { addCases, findCases } from '../src/cases-command.ts';
import { type CaseResult, runCase } from '../src/run-case.ts';

const SPAN = { seconds: 1, warmUpSeconds: 0, quick: false };

/** Two contenders that measure nothing: each run takes the next of its figures. */
function fake(overrides: Partial<BenchCase> = {}): { bench: BenchCase; order: string[] } {
  const order: string[] = [];
  const contender = (name: string, rates: readonly number[]) => {
    let run = 0;
    return {
      name,
      run: async (): Promise<Figures> => {
        order.push(name);
        return { rate: rates[run++ % rates.length]!, us: 5 };
      },
    };
  };
  const bench: BenchCase = {
    name: 'fake',
    title: 'nothing at all',
    metrics: [
      { key: 'rate', title: 'rate', per: 1000, unit: 'k/s', digits: 1 },
      { key: 'us', title: 'time', per: 1, unit: 'us', digits: 0 },
    ],
    contenders: [contender('ours', [3000, 1000, 2000]), contender('theirs', [1000, 1000, 1000])],
    ratios: [['rate', 'ours', 'theirs']],
    goals: [
      { metric: 'rate', of: 'ours', to: 'theirs', atLeast: 1.5 },
      { metric: 'us', of: 'ours', atMost: 4 },
    ],
    inQuickSet: true,
    ...overrides,
  };
  return { bench, order };
}

describe('a case', () => {
  it('runs its contenders in turn, and who begins changes', async () => {
    const { bench, order } = fake();
    await runCase(bench, 3, SPAN, () => {});
    expect(order).toEqual(['ours', 'theirs', 'theirs', 'ours', 'ours', 'theirs']);
  });

  it('gives medians, ranges, ratios of pairs and verdicts', async () => {
    const result = await runCase(fake().bench, 3, SPAN, () => {});
    expect(result.contenders[0]!.summary['rate']).toEqual({ median: 2000, least: 1000, most: 3000, spread: 1 });
    expect(result.ratios).toEqual([
      { metric: 'rate', of: 'ours', to: 'theirs', ratio: { median: 2, least: 1, most: 3, spread: 1 } },
    ]);
    expect(result.goals).toEqual([
      { metric: 'rate', of: 'ours', to: 'theirs', limit: '>= 1.5 x', value: 2, met: true },
      { metric: 'us', of: 'ours', to: null, limit: '<= 4', value: 5, met: false },
    ]);
  });

  it('leaves out who is not there, with a word, and judges nothing that needs him', async () => {
    const { bench } = fake();
    const absent = { name: 'theirs', missing: () => 'not installed', run: () => Promise.reject(new Error('ran')) };
    const lines: string[] = [];
    const result = await runCase({ ...bench, contenders: [bench.contenders[0]!, absent] }, 1, SPAN, (line) =>
      lines.push(line),
    );
    expect(lines[0]).toBe('fake: theirs is left out: not installed');
    expect(result.contenders[1]).toEqual({ name: 'theirs', skipped: 'not installed', runs: [], summary: {} });
    expect(result.ratios).toEqual([]);
    expect(result.goals[0]).toMatchObject({ value: null, met: null });
  });

  it('fails when a contender does', async () => {
    const { bench } = fake();
    const broken = { name: 'ours', run: () => Promise.reject(new Error('no route')) };
    await expect(runCase({ ...bench, contenders: [broken] }, 1, SPAN, () => {})).rejects.toThrow('no route');
  });

  it('makes a document that survives JSON', async () => {
    const result = await runCase(fake().bench, 2, SPAN, () => {});
    expect(JSON.parse(JSON.stringify(result))).toEqual(result);
    expect(Object.keys(result)).toEqual([
      'schema',
      'bench',
      'title',
      'date',
      'machine',
      'runs',
      'seconds',
      'warmUpSeconds',
      'quick',
      'contenders',
      'ratios',
      'goals',
    ]);
    expect(result).toMatchObject({ schema: 'qanat-bench/1', bench: 'fake', runs: 2, seconds: 1, quick: false });
    expect(result.machine).toMatchObject({ cores: expect.any(Number), node: process.versions.node });
  });

  it('passes over what a run was too short to measure', async () => {
    const contenders = [{ name: 'ours', run: async () => ({ rate: 1, us: Number.NaN }) }];
    const result = await runCase({ ...fake().bench, contenders, ratios: [] }, 1, SPAN, () => {});
    expect(Object.keys(result.contenders[0]!.summary)).toEqual(['rate']);
    expect(result.goals[1]).toMatchObject({ value: null, met: null });
  });

  it('has a table for people', async () => {
    const { bench } = fake();
    const lines = caseTable(bench, await runCase(bench, 3, SPAN, () => {}));
    expect(lines.slice(3)).toEqual([
      '',
      '        rate [k/s]     range  spread  time [us]',
      'ours           2.0  1.0..3.0   100 %          5',
      'theirs         1.0  1.0..1.0     0 %          5',
      '',
      'rate: ours / theirs = 2.00 (1.00..3.00)',
      'asked: rate of ours / theirs >= 1.5 x: 2.00, met',
      'asked: time of ours <= 4 us: 5, missed',
    ]);
  });
});

describe('the command', () => {
  async function run(args: readonly string[], all: readonly BenchCase[]): Promise<string[]> {
    const lines: string[] = [];
    const command = new Command('bench').exitOverride().configureOutput({ writeErr: () => {} });
    addCases(command, all, { line: (text) => lines.push(text), progress: () => {}, save: () => '' });
    await command.parseAsync(args, { from: 'user' });
    return lines;
  }

  it('lists all cases and runs the quick set when none is named', async () => {
    const quick = fake();
    const slow = fake({ name: 'slow', inQuickSet: false });
    const lines = await run([], [quick.bench, slow.bench]);
    expect(lines.slice(0, 3)).toEqual([
      'Cases (* in the quick set, which follows):',
      '  fake * nothing at all',
      '  slow   nothing at all',
    ]);
    expect([quick.order, slow.order]).toEqual([['ours', 'theirs'], []]);
  });

  it('runs what is named, as often as it is told, and prints an array of documents', async () => {
    const { bench, order } = fake();
    const lines = await run(['fake', '--runs', '2', '--seconds', '0.5', '--json'], [bench]);
    const [result] = JSON.parse(lines.join('\n')) as CaseResult[];
    expect(result).toMatchObject({ bench: 'fake', runs: 2, seconds: 0.5, quick: false });
    expect(order).toHaveLength(4);
  });

  it('takes the rounds and the seconds of the case unless it is told others', async () => {
    const { bench } = fake({ runs: 3, seconds: 7, warmUpSeconds: 2 });
    const [result] = JSON.parse((await run(['fake', '--json'], [bench])).join('\n')) as CaseResult[];
    expect(result).toMatchObject({ runs: 3, seconds: 7, warmUpSeconds: 2 });
    const [quick] = JSON.parse((await run(['fake', '--json', '--quick'], [bench])).join('\n')) as CaseResult[];
    expect(quick).toMatchObject({ runs: 1, seconds: 1, warmUpSeconds: 0.7, quick: true });
  });

  it.each([
    [['nosuch'], "no case 'nosuch': fake, all"],
    [['fake', '--runs', '0'], 'give a whole number above 0'],
    [['fake', '--runs', '1.5'], 'give a whole number above 0'],
    [['fake', '--seconds', '-1'], 'give a number above 0'],
    [['fake', '--seconds', '1e9999'], 'give a number above 0'],
    [['fake', '--fast'], "unknown option '--fast'"],
  ])('refuses %j in one line', async (args, message) => {
    const failure = await run(args, [fake().bench]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Error);
    expect((failure as Error).message).toContain(message);
    if (failure instanceof CommanderError) expect(failure.exitCode).toBe(1);
    expect((failure as Error).message).not.toContain('\n');
  });
});

describe('the cases', () => {
  it('have names of their own, and speak only of contenders and metrics that they have', () => {
    expect(new Set(CASES.map(({ name }) => name)).size).toBe(CASES.length);
    for (const { contenders, metrics, ratios, goals, name } of CASES) {
      const names = contenders.map((contender) => contender.name);
      const keys = metrics.map(({ key }) => key);
      expect(new Set(names).size, name).toBe(names.length);
      for (const [metric, of, to] of ratios) {
        expect(keys, name).toContain(metric);
        expect(names, name).toEqual(expect.arrayContaining([of, to]));
      }
      for (const { metric, of, to, atLeast, atMost } of goals) {
        expect(keys, name).toContain(metric);
        expect(names, name).toContain(of);
        if (to !== undefined) expect(names, name).toContain(to);
        expect((atLeast === undefined) !== (atMost === undefined), name).toBe(true);
      }
    }
  });

  it('are found by name, or all at once', () => {
    expect(findCases(CASES, ['all'])).toBe(CASES);
    expect(findCases(CASES, ['latency', 'pipe-bulk']).map(({ name }) => name)).toEqual(['latency', 'pipe-bulk']);
  });
});
