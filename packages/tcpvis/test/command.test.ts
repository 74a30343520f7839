import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  crc32,
  EVENT_SCHEMA,
  emptyTable,
  encodeTrace,
  FORMATS,
  readAny,
  SACK_SCHEMA,
  SEGMENT_SCHEMA,
  type Trace,
  WINDOW_SCHEMA,
} from '@qanat/flowlog';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../src/index.ts';
import { formatBytes, Progress } from '../src/progress.ts';
import { bothEnds, transfer } from './simulated.ts';

const folder = mkdtempSync(join(tmpdir(), 'qanat-flow-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);

async function qanatFlow(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const said = { out: '', error: '' };
  const code = await main(args, {
    out: (text) => (said.out += text),
    error: (text) => (said.error += text),
    progress: false,
  });
  return { code, ...said };
}

/** What cannot be done is one line, exit code 2, and nothing else. */
async function expectRefusal(args: readonly string[], message: RegExp): Promise<void> {
  const { code, out, error } = await qanatFlow(...args);
  expect([args, code, out]).toEqual([args, 2, '']);
  expect([args, error]).toEqual([args, expect.stringMatching(/^qanat-flow: [^\n]+\n$/)]);
  expect([args, error]).toEqual([args, expect.stringMatching(message)]);
}

const noRows = {
  segments: emptyTable(SEGMENT_SCHEMA),
  windows: emptyTable(WINDOW_SCHEMA),
  events: emptyTable(EVENT_SCHEMA),
  sacks: emptyTable(SACK_SCHEMA),
};

let trace: Trace;
beforeAll(() => {
  trace = bothEnds(transfer({ seed: 7, bytes: 300_000, delayUs: 5000, lossRate: [0.03, 0] }));
  writeFileSync(path('run.qflow'), encodeTrace(trace));
});

describe('qanat-flow convert', () => {
  it('writes every format by the name of the file, and reads back those that can be read', async () => {
    for (const { name, extensions, read, write } of FORMATS) {
      if (write === undefined) continue;
      for (const extension of extensions) {
        const file = path(`out${extension}`);
        expect(await qanatFlow('convert', path('run.qflow'), file)).toMatchObject({ code: 0, out: '' });
        expect([name, readFileSync(file).length > 1000]).toEqual([name, true]);
        if (read !== undefined) expect(readAny(readFileSync(file)).problems).toEqual([]);
      }
    }
    expect(readAny(readFileSync(path('out.jsonl')))).toEqual(trace);
  });

  it('goes from format to format without losing what both hold', async () => {
    await qanatFlow('convert', path('run.qflow'), path('a.jsonl'));
    await qanatFlow('convert', path('a.jsonl'), path('b.qflow'));
    expect(readAny(readFileSync(path('b.qflow')))).toEqual(trace);
    await qanatFlow('convert', path('run.qflow'), path('a.pcapng'));
    await qanatFlow('convert', path('a.pcapng'), path('b.log'));
    await qanatFlow('convert', path('run.qflow'), path('a.log'));
    const segments = (name: string) => readFileSync(path(name), 'utf8').match(/Kind=SEG, details=.*/g);
    expect(segments('b.log')).toEqual(segments('a.log'));
  });

  it('writes the chosen flows, and says which it leaves out when nobody chose', async () => {
    const [sender, receiver] = trace.flows.map((flow) => flow.id) as [number, number];
    const single = await qanatFlow('convert', path('run.qflow'), path('x.log'));
    expect(single.error).toMatch(/^qanat-flow: 2013 holds one flow: flow \d+ of 2; --flow chooses another\n$/);
    const ends = await qanatFlow('convert', path('run.qflow'), path('x.pcapng'));
    expect(ends.error).toMatch(new RegExp(`flow ${receiver} is the other end of a connection and left out`));
    await qanatFlow('convert', path('run.qflow'), path('one.qflow'), '--flow', String(sender));
    expect(readAny(readFileSync(path('one.qflow'))).flows.map((flow) => flow.id)).toEqual([sender]);
    const both = await qanatFlow('convert', path('run.qflow'), path('x.pcapng'), '--flow', `${sender},${receiver}`);
    expect(both).toEqual({ code: 0, out: '', error: '' });
  });

  it('takes formats by name, whatever the files are called', async () => {
    writeFileSync(path('log'), readFileSync(path('run.qflow')));
    expect(await qanatFlow('convert', path('log'), path('lines'), '--to', 'jsonl')).toMatchObject({ code: 0 });
    expect(await qanatFlow('convert', path('lines'), path('again'), '--from', 'jsonl', '--to', 'qflow')).toMatchObject({
      code: 0,
    });
    expect(readFileSync(path('again'))).toEqual(readFileSync(path('run.qflow')));
    const few = await qanatFlow('convert', path('run.qflow'), path('x.ss'), '--interval', '0.05');
    expect(few.code).toBe(0);
    expect(readFileSync(path('x.ss'), 'utf8').match(/^ESTAB/gm)!.length).toBeLessThan(100);
  });

  it('tells the problems of a torn file, and converts what was whole', async () => {
    writeFileSync(path('torn.qflow'), readFileSync(path('run.qflow')).subarray(0, -100));
    const { code, error } = await qanatFlow('convert', path('torn.qflow'), path('torn.jsonl'));
    expect(code).toBe(0);
    expect(error).toMatch(/torn\.qflow: /);
  });

  it('says what cannot be done in one line and with exit code 2, and leaves no file behind', async () => {
    mkdirSync(path('sub'), { recursive: true });
    writeFileSync(path('empty.qflow'), '');
    writeFileSync(path('noise.bin'), 'noise');
    symlinkSync('run.qflow', path('link.qflow'));
    const before = readdirSync(folder);
    const run = path('run.qflow');
    const bytes = readFileSync(run);
    const cases: readonly (readonly [string[], RegExp])[] = [
      [['convert', run], /missing required argument 'out'/],
      [['convert', path('none.qflow'), path('y.log')], /none\.qflow cannot be read: there is no such file/],
      [['convert', path('sub'), path('y.log')], /sub is a directory/],
      [['convert', path('empty.qflow'), path('y.log')], /empty\.qflow is empty/],
      [['convert', path('noise.bin'), path('y.log')], /noise\.bin is of no known format: give --from/],
      [['convert', run, path('y.xyz')], /y\.xyz: its name says no format/],
      [['convert', run, path('y.log'), '--to', 'xyz'], /'xyz' is no format: there are qflow, 2013/],
      [['convert', run, path('y.pcap')], /pcap \(packet capture\) is only read/],
      [['convert', path('noise.bin'), path('y.log'), '--from', 'csv'], /csv .* is only written/],
      [['convert', run, path('none/y.log')], /y\.log cannot be written: the directory .* does not exist/],
      [['convert', run, path('sub'), '--to', '2013'], /sub is a directory/],
      [['convert', run, run], /run\.qflow is the file that is read: give another name/],
      [['convert', run, path('sub/../link.qflow')], /link\.qflow is the file that is read/],
      [['convert', run, path('empty.qflow/y.log')], /y\.log cannot be written: .*empty\.qflow is not a directory/],
      [['convert', run, '/dev/full', '--to', 'jsonl'], /\/dev\/full cannot be written: no space is left/],
      [['convert', run, path('y.log'), '--flow', '12345'], /has no flow 12345: it has \d+, \d+/],
      [['convert', run, path('y.log'), '--flow', 'x'], /give numbers of flows/],
      [['convert', run, path('y.ss'), '--interval', '-1'], /give a number in 0/],
      [['info', path('none')], /none cannot be read/],
      [['nothing'], /unknown command 'nothing'/],
      [[], /give a command/],
    ];
    for (const [args, message] of cases) {
      const { code, out, error } = await qanatFlow(...args);
      expect([args, code, out]).toEqual([args, 2, '']);
      expect(error).toMatch(/^qanat-flow: [^\n]+\n$/);
      expect(error).toMatch(message);
    }
    expect(readdirSync(folder)).toEqual(before);
    expect(readFileSync(run).equals(bytes)).toBe(true);
  });

  it('writes to what is no regular file, and replaces a file only when it is whole', async () => {
    expect(await qanatFlow('convert', path('run.qflow'), '/dev/null', '--to', 'jsonl')).toMatchObject({ code: 0 });
    writeFileSync(path('old.jsonl'), 'old');
    await qanatFlow('convert', path('run.qflow'), path('old.jsonl'));
    expect(readFileSync(path('old.jsonl'), 'utf8')).toMatch(/^\{"type":"trace"/);
    expect(existsSync(path(`old.jsonl.${process.pid}.partial`))).toBe(false);
  });
});

describe('what cannot be read', () => {
  const noise = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919 + (i >> 3) * 104_729) & 0xff));
  /** Of the next version: the header says so, and its CRC is right. */
  const later = (): Buffer => {
    const bytes = Buffer.from(readFileSync(path('run.qflow')));
    bytes.writeUInt16LE(2, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 36)), 36);
    return bytes;
  };

  it('is told in one line with the name of the file and why, by every command; a file in its place stays as it was', async () => {
    writeFileSync(path('v2.qflow'), later());
    writeFileSync(path('noise.qflow'), noise);
    writeFileSync(path('noise.jsonl'), noise);
    writeFileSync(path('hello.log'), 'hello\n');
    writeFileSync(path('noise.raw'), noise);
    writeFileSync(path('packed.gz'), Buffer.from([0x1f, 0x8b, 8, 0, 0, 0]));
    writeFileSync(path('head.qflow'), readFileSync(path('run.qflow')).subarray(0, 40));
    mkdirSync(path('there'), { recursive: true });
    for (const name of ['out.jsonl', 'out.log', 'out.html', 'out.svg']) writeFileSync(path(`there/${name}`), 'kept');
    const before = readdirSync(path('there'));
    const version = /version 2; this reader knows version 1/;
    const inputs: readonly (readonly [string[], RegExp])[] = [
      [['v2.qflow'], version],
      [['noise.qflow'], /does not begin as a flow log/],
      [['noise.jsonl'], /\d+ lines could not be read/],
      [['hello.log'], /1 line is no record and was skipped/],
      [['packed.gz'], /is compressed/],
      [['head.qflow'], /has no end/],
      [['noise.raw'], /is of no known format/],
      [['noise.raw', '--from', 'qflow'], /does not begin as a flow log/],
      [['noise.raw', '--from', '2013'], /lines are no records/],
      [['noise.raw', '--from', 'pcap'], /this is no pcap file/],
      [['noise.raw', '--from', 'pcapng'], /5000 bytes are no blocks/],
      [['noise.raw', '--from', 'jsonl'], /lines could not be read/],
    ];
    for (const [[file, ...from], why] of inputs) {
      const input = path(file!);
      const runs = [
        ['info', input, ...from],
        ['convert', input, path('there/out.jsonl'), ...from],
        ['convert', input, path('there/out.log'), ...from],
        ['convert', input, path('there/new.qflow'), ...from],
      ];
      if (from.length === 0) {
        runs.push(['html', input, path('there/out.html')], ['plot', input, path('there/out.svg')], ['serve', input]);
      }
      for (const args of runs) {
        const { code, out, error } = await qanatFlow(...args);
        expect([args, code, out]).toEqual([args, 2, '']);
        expect(error).toMatch(/^qanat-flow: [^\n]+\n$/);
        expect(error).toContain(file);
        expect(error).toMatch(why);
      }
    }
    expect(readdirSync(path('there'))).toEqual(before);
    for (const name of before) expect(readFileSync(path(`there/${name}`), 'utf8')).toBe('kept');
  });

  it('a log or capture without a flow gives no empty file of a format that holds flows only', async () => {
    writeFileSync(path('no-flows.qflow'), encodeTrace({ ...trace, flows: [] }));
    for (const name of ['2013', 'csv', 'xplot', 'qlog', 'sqlog', 'ss', 'pcapng']) {
      const { code, error } = await qanatFlow('convert', path('no-flows.qflow'), path('none.out'), '--to', name);
      expect([name, code]).toEqual([name, 2]);
      expect(error).toMatch(/^qanat-flow: [^\n]*no-flows\.qflow holds no flow[^\n]*\n$/);
      expect(existsSync(path('none.out'))).toBe(false);
    }
    expect(await qanatFlow('convert', path('no-flows.qflow'), path('none.jsonl'))).toMatchObject({ code: 0 });
    writeFileSync(path('tap.pcapng'), transfer({ seed: 8, bytes: 20_000, delayUs: 100, lossRate: [0, 0] }).capture);
    for (const name of ['csv', 'ss']) {
      const { code, error } = await qanatFlow('convert', path('tap.pcapng'), path('none.out'), '--to', name);
      expect([name, code, existsSync(path('none.out'))]).toEqual([name, 2, false]);
      expect(error).toMatch(/^qanat-flow: [^\n]*tap\.pcapng has no window update[^\n]*\n$/);
    }
  });

  it('torn anywhere, a file still gives what was whole, to every command', async () => {
    const bytes = readFileSync(path('run.qflow'));
    // Descriptions of flows come first: of these alone there is nothing to draw.
    const rows = bytes.indexOf('QFLC', bytes.lastIndexOf('"localPort"', bytes.length >> 3));
    writeFileSync(path('described.qflow'), bytes.subarray(0, rows));
    const bare = await qanatFlow('plot', path('described.qflow'), path('described.svg'));
    expect(bare).toMatchObject({
      code: 2,
      error: expect.stringMatching(/^qanat-flow: [^\n]*has no row of flow \d+ to draw\n$/),
    });
    for (const length of [bytes.length - 1, bytes.length >> 1, bytes.length >> 3]) {
      writeFileSync(path('cut.qflow'), bytes.subarray(0, length));
      for (const args of [
        ['info', path('cut.qflow')],
        ['convert', path('cut.qflow'), path('cut.jsonl')],
        ['html', path('cut.qflow'), path('cut.html')],
      ]) {
        expect([args, (await qanatFlow(...args)).code]).toEqual([args, 0]);
      }
      expect(readAny(readFileSync(path('cut.jsonl'))).flows.length).toBeGreaterThan(0);
    }
  });
});

describe('names of files', () => {
  it('that cannot be meant are told in one line', async () => {
    const run = path('run.qflow');
    symlinkSync('ring', path('ring'));
    mkdirSync(path('dir.jsonl'), { recursive: true });
    execFileSync('mkfifo', [path('fifo')]);
    writeFileSync(path('log.svg'), readFileSync(run));
    writeFileSync(path('log.html'), readFileSync(run));
    writeFileSync(path('page.raw'), '<!doctype html>');
    const long = `${'a'.repeat(300)}.log`;
    const before = readdirSync(folder);
    const cases: readonly (readonly [string[], RegExp])[] = [
      [['info', ''], /the name of a file is missing/],
      [['info', '-'], /'-' is no file: the standard input is \/dev\/stdin/],
      [['info', path('ring')], /ring cannot be read: it is a link to itself/],
      [['info', path(long)], /cannot be read: the name is too long/],
      [['info', path('two\nlines')], /two\?lines cannot be read: there is no such file/],
      [['convert', run, '-', '--to', 'jsonl'], /'-' is no file: the standard output is \/dev\/stdout/],
      [['convert', run, '', '--to', 'jsonl'], /the name of a file is missing/],
      [['convert', run, path('sub')], /sub is a directory/],
      [['convert', run, path('dir.jsonl')], /dir\.jsonl is a directory/],
      [['convert', run, path('ring'), '--to', 'jsonl'], /ring cannot be written: it is a link to itself/],
      [['convert', run, path(long)], /cannot be written: the name is too long/],
      [['convert', run, '/proc/x.log'], /x\.log cannot be written: no file can be made in \/proc$/m],
      [['convert', run, '/dev/full', '--to', 'jsonl'], /\/dev\/full cannot be written: no space is left/],
      [['html', path('log.html'), path('log.html')], /log\.html is the file that is read: give another name/],
      [['html', path('page.raw'), path('y.html')], /page\.raw is of no known format: read are qflow/],
      [['plot', path('log.svg'), path('log.svg')], /log\.svg is the file that is read: give another name/],
      [['plot', path('page.raw'), path('y.svg')], /page\.raw is of no known format: read are qflow/],
      [['serve', path('fifo')], /fifo is no file that can be read more than once/],
      [['serve', path('sub')], /sub is a directory/],
    ];
    for (const [args, message] of cases) await expectRefusal(args, message);
    expect(readdirSync(folder)).toEqual(before);
  });

  it('a link to a file stays one, and the file gets what is written', async () => {
    writeFileSync(path('real.jsonl'), 'old');
    symlinkSync('real.jsonl', path('link.jsonl'));
    expect(await qanatFlow('convert', path('run.qflow'), path('link.jsonl'))).toMatchObject({ code: 0 });
    expect(readlinkSync(path('link.jsonl'))).toBe('real.jsonl');
    expect(readFileSync(path('real.jsonl'), 'utf8')).toMatch(/^\{"type":"trace"/);
  });

  it('the standard input and output are files, too', () => {
    // A process of its own: what its descriptors are, matters.
    const command = fileURLToPath(new URL('../bin/qanat-flow.js', import.meta.url));
    const env = { PATH: process.env['PATH'] };
    const shell = (line: string): string =>
      execFileSync('sh', ['-c', line, command, path('run.qflow'), folder], { encoding: 'utf8', env });
    expect(shell('cat "$1" | node "$0" info /dev/stdin')).toMatch(/^\/dev\/stdin: flow log/);
    expect(shell('cat "$1" | node "$0" html /dev/stdin "$2/piped.html"')).toMatch(/piped\.html\n$/);
    shell('cd "$2" && echo first >piped.jsonl && node "$0" convert "$1" /proc/self/fd/1 --to jsonl >>piped.jsonl');
    expect(readFileSync(path('piped.jsonl'), 'utf8')).toMatch(/^first\n\{"type":"trace"/);
  });
});

describe('numbers of options', () => {
  it('are in a range that can be done, else that is said', async () => {
    const [first] = trace.flows;
    writeFileSync(path('no-rows.qflow'), encodeTrace({ ...trace, flows: [{ ...first!, ...noRows }] }));
    const before = readdirSync(folder);
    const run = path('run.qflow');
    const plot = ['plot', run, path('y.png')];
    const cases: readonly (readonly [string[], RegExp])[] = [
      ...['0', '319', '20001', '1e3', '-5', '12.5', '', ' ', 'x', '0x400', '9'.repeat(400)].map(
        (width): [string[], RegExp] => [[...plot, '--width', width], /give a whole number in 320\.\.20000/],
      ),
      ...['0', '99', '1000000000', ''].map((height): [string[], RegExp] => [
        [...plot, '--height', height],
        /give a whole number in 100\.\.20000/,
      ]),
      ...['0', '0.09', '20.1', '1e9', '1000000000', 'Infinity', 'NaN', '-1', '', '1,5'].map(
        (scale): [string[], RegExp] => [[...plot, '--scale', scale], /give a number in 0\.1\.\.20/],
      ),
      [[...plot, '--scale', '20'], /y\.png would have \d+ × \d+ pixels, more than 64 million/],
      [
        [...plot, '--height', '20000', '--width', '20000'],
        /more than 64 million: choose a smaller --scale, --width or/,
      ],
      ...['--from-s', '--to-s'].flatMap((option) =>
        ['-1', '1e300', '', 'x', '99999999999'].map((text): [string[], RegExp] => [
          [...plot, option, text],
          /give a number in 0\.\.1000000000/,
        ]),
      ),
      [[...plot, '--from-s', '5000'], /leave nothing: the log is \d+\.\d+ s long/],
      [[...plot, '--from-s', '0.2', '--to-s', '0.1'], /leave nothing/],
      [[...plot, '--flow', ''], /give a whole number/],
      [[...plot, '--flow', '9'.repeat(400)], /give a whole number/],
      [[...plot, '--flow', '77'], /run\.qflow has no flow 77: it has \d+, \d+/],
      [['plot', path('no-rows.qflow'), path('y.svg')], /no-rows\.qflow has no row of flow \d+ to draw/],
      ...['-1', '', '1e300', 'Infinity', '99999999999'].map((text): [string[], RegExp] => [
        ['convert', run, path('y.ss'), '--interval', text],
        /give a number in 0\.\./,
      ]),
      ...['', '1,,2', '-1', '1.5', '9'.repeat(400)].map((text): [string[], RegExp] => [
        ['convert', run, path('y.log'), '--flow', text],
        /give numbers of flows/,
      ]),
      ...['-1', '65536', '', 'x', '1e3'].map((text): [string[], RegExp] => [
        ['serve', run, '--port', text],
        /give a whole number in 0\.\.65535/,
      ]),
    ];
    for (const [args, message] of cases) await expectRefusal(args, message);
    expect(readdirSync(folder)).toEqual(before);
  });

  it('at the ends of their ranges do what they say', async () => {
    const draw = async (...options: string[]): Promise<string> => {
      const { code, error } = await qanatFlow('plot', path('run.qflow'), path('ends.svg'), ...options);
      expect([options, code, error]).toEqual([options, 0, '']);
      return readFileSync(path('ends.svg'), 'utf8');
    };
    expect(await draw('--width', '320')).toMatch(/^<svg [^>]*width="320"/);
    expect(await draw('--width', '20000', '--height', '20000')).toMatch(/^<svg [^>]*width="20000" height="20000"/);
    expect(await draw('--height', '901')).toMatch(/^<svg [^>]*height="901"/);
    // A picture is as high as its panels need: none is cut off.
    expect(Number(/height="(\d+)"/.exec(await draw('--height', '100'))?.[1])).toBeGreaterThan(300);
    // Beyond the end of the log there is nothing to show.
    expect(await draw('--to-s', '1000000000')).toBe(await draw());
    expect(await draw('--from-s', '.1', '--to-s', '0.1000001')).not.toMatch(/NaN|Infinity/);
  });
});

describe('progress', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is one line on a terminal that goes away, for work that takes long, and nothing elsewhere', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const shown = (isTerminal: boolean) => {
      const said: string[] = [];
      const output = { out: () => {}, error: (text: string) => said.push(text), progress: isTerminal };
      const progress = new Progress(output, 'run.jsonl');
      progress.show(formatBytes(1));
      vi.advanceTimersByTime(600);
      progress.show(formatBytes(1_234_567));
      progress.show(formatBytes(1_300_000));
      vi.advanceTimersByTime(100);
      progress.show(formatBytes(45_600_000));
      progress.end();
      return said;
    };
    expect(shown(true)).toEqual(['\r\x1b[Krun.jsonl: 1.23 MB', '\r\x1b[Krun.jsonl: 45.6 MB', '\r\x1b[K']);
    expect(shown(false)).toEqual([]);
  });
});

describe('qanat-flow info', () => {
  it('says what a file holds', async () => {
    const { code, out } = await qanatFlow('info', path('run.qflow'));
    expect(code).toBe(0);
    expect(out).toMatch(/run\.qflow: flow log \(columns in chunks\), [\d.]+ kB\n {2}time: \d+\.\d{6} s\n/);
    expect(out).toMatch(/source 1: client \(host\)/);
    expect(out).toMatch(/flow \d+: 10\.0\.0\.1:40000 - 10\.0\.0\.2:5001 \(source 1, opened here, cubic, mss \d+\)/);
    expect(out).toMatch(/sent 3\d\d\.\d kB in \d+ segments, sent again: .*fast/);
    expect(out).not.toMatch(/problem/);
  });

  it('as JSON, with the problems of a damaged file', async () => {
    writeFileSync(path('damaged.qflow'), readFileSync(path('run.qflow')).subarray(0, 20_000));
    const { code, out } = await qanatFlow('info', path('damaged.qflow'), '--json');
    expect(code).toBe(0);
    const told = JSON.parse(out) as { format: string; problems: string[]; flows: { rows: { segments: number } }[] };
    expect([told.format, told.problems.length > 0]).toEqual(['qflow', true]);
    expect(told.flows[0]).toMatchObject({ localPort: 40_000, mss: trace.flows[0]!.mss });
  });

  it('calls nothing 0 that a log of 2013 does not say', async () => {
    await qanatFlow('convert', path('run.qflow'), path('of2013.log'));
    const { out } = await qanatFlow('info', path('of2013.log'));
    expect(out).toMatch(/flow 0: addresses not known \(source 0\)\n/);
    expect(out).toMatch(/ {4}sent \d+ segments; received \d+ segments\n$/);
    expect(out).not.toMatch(/ 0 |0\.0\.0\.0/);
    const { out: json } = await qanatFlow('info', path('of2013.log'), '--json');
    const [flow] = (JSON.parse(json) as { flows: { sent: object }[] }).flows;
    expect(flow!.sent).toEqual({ segments: expect.any(Number), retransmissions: {} });
  });

  it('counts the packets of a capture that are no TCP', async () => {
    const { capture } = transfer({ seed: 8, bytes: 20_000, delayUs: 100, lossRate: [0, 0] });
    writeFileSync(path('link.pcapng'), capture);
    const { out } = await qanatFlow('info', path('link.pcapng'));
    expect(out).toMatch(/packets: \d+, of which [1-9]\d* are of no TCP connection over IPv4\n/);
  });
});
