import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { flowLogPath, openOutput } from '../src/output-file.ts';
import { UsageError } from '../src/usage-error.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'qanat-iperf-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('openOutput', () => {
  it('gives the file its name only when it is whole', () => {
    const path = join(directory, 'run.log');
    const file = openOutput('--flow-log', path);
    file.write('one ');
    file.write(new Uint8Array([0x74, 0x77, 0x6f]));
    expect(existsSync(path)).toBe(false);
    file.commit();
    expect(readFileSync(path, 'utf8')).toBe('one two');
    expect(readdirSync(directory)).toEqual(['run.log']);
    file.discard();
    expect(existsSync(path)).toBe(true);
  });

  it('leaves an older file and nothing else when it is discarded', () => {
    const path = join(directory, 'run.log');
    writeFileSync(path, 'older');
    const file = openOutput('--flow-log', path);
    file.write('half');
    file.discard();
    file.discard();
    expect(readFileSync(path, 'utf8')).toBe('older');
    expect(readdirSync(directory)).toEqual(['run.log']);
  });

  it('writes straight to what is no regular file', () => {
    const file = openOutput('--pcap', '/dev/null');
    file.write('gone');
    file.commit();
    expect(existsSync('/dev/null')).toBe(true);
  });

  it('writes to where a link leads, also to what the shell has opened', () => {
    symlinkSync('run.log', join(directory, 'link.log'));
    const file = openOutput('--flow-log', join(directory, 'link.log'));
    file.write('whole');
    file.commit();
    expect(readlinkSync(join(directory, 'link.log'))).toBe('run.log');
    expect(readFileSync(join(directory, 'run.log'), 'utf8')).toBe('whole');
    const descriptor = openSync(join(directory, 'shell.log'), 'a');
    const open = openOutput('--pcap', `/proc/self/fd/${descriptor}`);
    open.write('one');
    open.commit();
    closeSync(descriptor);
    expect(readFileSync(join(directory, 'shell.log'), 'utf8')).toBe('one');
  });

  it('says in one line why a file cannot be written', () => {
    mkdirSync(join(directory, 'there'));
    writeFileSync(join(directory, 'plain'), '');
    const cases: [string, RegExp][] = [
      [join(directory, 'there'), /is a directory: give the name of a file/],
      [
        join(directory, 'missing', 'run.log'),
        /^--pcap .*run\.log cannot be written: the directory .*missing does not exist$/,
      ],
      [join(directory, 'plain', 'run.log'), /not a directory/],
      [join(directory, `${'x'.repeat(300)}.log`), /too long/],
    ];
    if (process.getuid?.() !== 0) {
      chmodSync(join(directory, 'there'), 0o500);
      cases.push([join(directory, 'there', 'run.log'), /permission denied/]);
    }
    for (const [path, message] of cases) {
      expect(() => openOutput('--pcap', path)).toThrow(UsageError);
      expect(() => openOutput('--pcap', path)).toThrow(message);
    }
    expect(readdirSync(directory).sort()).toEqual(['plain', 'there']);
  });

  it('names the logs of several flows', () => {
    expect([0, 1, 2].map((index) => flowLogPath('d.log/run.log', index))).toEqual([
      'd.log/run.log',
      'd.log/run.2.log',
      'd.log/run.3.log',
    ]);
  });
});
