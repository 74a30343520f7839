import { describe, expect, it } from 'vitest';
import { CodeError, type Value } from '../src/code/ast.ts';
import { AssertionFailure, runCode } from '../src/code/evaluate.ts';
import { parseCode } from '../src/code/parser.ts';
import { UnsupportedError } from '../src/errors.ts';

class Scope {
  readonly variables = new Map<string, Value>();
  readonly printed: string[] = [];
  readonly info: Record<string, Value> = { tcpi_snd_cwnd: 10, tcpi_rtt: 100_500, tcpi_options: 7 };
  lookup(name: string): Value | undefined {
    return this.info[name];
  }
  print(line: string): void {
    this.printed.push(line);
  }
}

const run = (source: string, scope = new Scope()): Scope => {
  runCode(parseCode(source), scope);
  return scope;
};
const resultOf = (expression: string): Value | undefined => run(`x = ${expression}`).variables.get('x');

describe('expressions', () => {
  it.each<[string, Value]>([
    ['1 + 2 * 3 - 4', 3],
    ['(1 + 2) * 3', 9],
    ['0x1f & 0xf | 0x100', 0x10f],
    ['1 << 4 ^ 1', 17],
    ['7 // 2', 3],
    ['-7 // 2', -4],
    ['-7 % 3', 2],
    ['7 / 2', 3.5],
    ['2 ** 3 ** 2', 512],
    ['-2 ** 2', -4],
    ['~5', -6],
    ['1e3 + .5', 1000.5],
    ['1 < 2 < 3', true],
    ['1 < 2 > 3', false],
    ['98000 <= tcpi_rtt <= 110000', true],
    ['not 1 == 2', true],
    ['0 or 5', 5],
    ['0 and 5', 0],
    ['1 if 2 > 1 else 3', 1],
    ['3 in (1, 2, 3)', true],
    ['3 not in [1, 2]', true],
    ["'b' in 'abc'", true],
    ['True == 1', true],
    ['None is None', true],
    ['max(1, 2) + min([3, 4]) + abs(-5) + int(6.9)', 16],
    ["'cwnd %d of %s: %5.1f%% %04x' % (10, 'x', 99.44, 255)", 'cwnd 10 of x:  99.4% 00ff'],
    ["'%d' % 3", '3'],
    ["'a' 'b' + \"c\"", 'abc'],
    ["'%r %-4d|' % ('q', 7)", "'q' 7   |"],
    ["str((1, 'a'))", "(1, 'a')"],
    ['4294967295 & 4294967294', 4294967294],
  ])('%s', (expression, expected) => {
    expect(resultOf(expression)).toEqual(expected);
  });
});

describe('statements', () => {
  it('keeps variables from one snippet to the next and sees a fresh tcp_info', () => {
    const scope = run('cwnd = tcpi_snd_cwnd');
    scope.info['tcpi_snd_cwnd'] = 12;
    run('assert tcpi_snd_cwnd == cwnd + 2; cwnd += 5', scope);
    expect(scope.variables.get('cwnd')).toBe(15);
  });

  it('splits at line ends and semicolons, not inside brackets or after a backslash', () => {
    const scope = run('\n  a = 1; b = (2 +\n 3)\n  c = a + \\\n    b # comment; d = 1\n\n  e, f = 1, 2');
    expect(Object.fromEntries(scope.variables)).toEqual({ a: 1, b: 5, c: 6, e: 1, f: 2 });
  });

  it('takes a first line behind the brace and an indented rest', () => {
    expect(run('a = 1\n   b = 2\n   c = 3').variables.size).toBe(3);
    expect(run(' a = 1\nb = 2').variables.size).toBe(2);
  });

  it('runs if, elif, else with blocks and on one line', () => {
    const source =
      'if tcpi_snd_cwnd > 20:\n  x = 1\nelif tcpi_snd_cwnd == 10:\n  x = 2\n  if True: x += 10\n  y = 1\nelse:\n  x = 3\nz = x';
    expect(Object.fromEntries(run(source).variables)).toEqual({ x: 12, y: 1, z: 12 });
  });

  it('prints in both dialects', () => {
    expect(run('print("a", 1)\nprint tcpi_snd_cwnd\nprint("%d" % 2)\nprint').printed).toEqual(['a 1', '10', '2', '']);
  });
});

describe('failures', () => {
  const failure = (source: string): AssertionFailure => {
    try {
      run(source);
    } catch (error) {
      if (error instanceof AssertionFailure) return error;
      throw error;
    }
    throw new Error('nothing failed');
  };

  it('names the assert, its message and the values in it', () => {
    const plain = failure('x = 3\nassert tcpi_snd_cwnd   == x');
    expect(plain).toMatchObject({
      offset: 6,
      source: 'assert tcpi_snd_cwnd == x',
      values: 'tcpi_snd_cwnd = 10, x = 3',
    });
    expect(failure('assert 1 == 2, "one is %d" % 2').message).toBe('one is 2');
    expect(failure('assert(tcpi_snd_cwnd == 11)').source).toBe('assert(tcpi_snd_cwnd == 11)');
  });

  it.each([
    ['nowhere == 1', /"nowhere" is not defined/],
    ['x = 1 +', /expected an expression/],
    ['x = (1', /expected/],
    ['x = "a', /not closed/],
    ['assert', /expected an expression/],
    ['1 // 0', /division by zero/],
    ["'a' + 1", /expected a number/],
    ["x = '%d' % 'a'", /needs a number/],
    ["x = '%d %d' % 1", /not enough values/],
    ['x = 1 $ 2', /unexpected character/],
    ['a, b = 1', /cannot spread/],
    ['if x:\ny = 1', /indented block/],
  ])('%s is a CodeError', (source, message) => {
    expect(() => run(source)).toThrow(CodeError);
    expect(() => run(source)).toThrow(message);
  });

  it.each(['import os', 'for x in y: pass', 'open("x")', 'sys.exit()', 'def f(): pass', 'x = lambda: 1'])(
    '%s is unsupported',
    (source) => {
      expect(() => run(source)).toThrow(UnsupportedError);
    },
  );
});
