import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runScript } from '../src/run/run-script.ts';

/** A runner that lets a wrong script pass is worse than none: one field of each script is bent, and it must fail there. */
const ROOT = fileURLToPath(new URL('../scripts/', import.meta.url));
const SCRIPTS = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.pkt'))
  .sort()
  .map((file) => ({ file, source: readFileSync(ROOT + file, 'utf8') }))
  .filter(({ file, source }) => runScript(file, source).status === 'ok');

interface Mutation {
  readonly name: string;
  /** Which lines can be bent. */
  readonly applies: RegExp;
  readonly bend: (line: string) => string;
}

const plus = (text: string, by: number): string => String((Number(text) + by) >>> 0);
const MUTATIONS: readonly Mutation[] = [
  {
    // Not of a SYN: what the script calls our initial sequence number is its own affair.
    name: 'sequence number + 1',
    applies: /^\S+ > (?:\[\w+\] )?[^S\s]+ \d+:\d+\(\d+\)/,
    bend: (line) => line.replace(/(\d+):(\d+)(\(\d+\))/, (_, a, b, n) => `${plus(a, 1)}:${plus(b, 1)}${n}`),
  },
  {
    name: 'acknowledgment number + 1',
    applies: /^\S+ > .* ack \d+/,
    bend: (line) => line.replace(/ ack (\d+)/, (_, ack) => ` ack ${plus(ack, 1)}`),
  },
  {
    name: 'one byte more',
    applies: /^\S+ > .*\d+:\d+\(\d+\)/,
    bend: (line) => line.replace(/:(\d+)\((\d+)\)/, (_, b, n) => `:${plus(b, 1)}(${plus(n, 1)})`),
  },
  {
    name: '20 ms later',
    applies: /^\+0 > /,
    bend: (line) => line.replace('+0 >', '+.02 >'),
  },
  {
    name: 'a SACK block less',
    applies: /^\S+ > .*sack \d+:\d+/,
    bend: (line) => line.replace(/nop,nop,sack \d+:\d+/, (option) => (/>$/.test(option) ? option : 'nop,nop,sack')),
  },
  {
    name: 'another MSS',
    applies: /^\S+ > .*<mss \d+/,
    bend: (line) => line.replace(/<mss (\d+)/, (_, mss) => `<mss ${plus(mss, 1)}`),
  },
  {
    name: 'RST for ACK',
    applies: /^\S+ > \. /,
    bend: (line) => line.replace('> . ', '> R. '),
  },
  {
    name: 'FIN where there is none',
    applies: /^\S+ > P\. /,
    bend: (line) => line.replace('> P. ', '> FP. '),
  },
  {
    name: 'another asserted value',
    applies: /assert tcpi_\w+ == \d+/,
    bend: (line) => line.replace(/(assert tcpi_\w+ == )(\d+)/, (_, head, value) => `${head}${plus(value, 1)}`),
  },
  {
    name: 'another result',
    applies: /^\S+ (?:write|read|send)\(.* = \d+$/,
    bend: (line) => line.replace(/= (\d+)$/, (_, value) => `= ${plus(value, 1)}`),
  },
  {
    name: 'another error',
    applies: / = -1 E[A-Z]+/,
    bend: (line) => line.replace(/ = -1 E[A-Z]+/, ' = -1 EDOM'),
  },
];

/** Each script meets a fifth of the mutations, each mutation a fifth of the scripts. */
const PART = 5;

describe.each(MUTATIONS.map((mutation, index) => ({ ...mutation, index })))('$name', ({ applies, bend, index }) => {
  const cases = SCRIPTS.flatMap(({ file, source }, script) => {
    if ((script + index) % PART !== 0) return [];
    const lines = source.split('\n');
    const at = lines.findIndex((line) => applies.test(line) && bend(line) !== line);
    if (at < 0) return [];
    lines[at] = bend(lines[at]!);
    return [{ file, line: at + 1, source: lines.join('\n') }];
  });

  it('applies to some scripts', () => {
    expect(cases.length).toBeGreaterThan(0);
  });

  it.each(cases)('fails $file at line $line', ({ file, line, source }) => {
    const result = runScript(file, source);
    expect(result).toMatchObject({ status: 'FAIL', line });
  });
});
