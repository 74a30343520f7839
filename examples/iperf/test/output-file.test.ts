import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { flowLogPath, OutputFile } from '../src/output-file.ts';
import { UsageError } from '../src/usage-error.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'qanat-iperf-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('OutputFile', () => {
  it('gives the file its name only when it is whole', () => {
    const path = join(directory, 'run.log');
    const file = OutputFile.open('--flow-log', path);
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
    const file = OutputFile.open('--flow-log', path);
    file.write('half');
    file.discard();
    file.discard();
    expect(readFileSync(path, 'utf8')).toBe('older');
    expect(readdirSync(directory)).toEqual(['run.log']);
  });

  it('writes straight to what is no regular file', () => {
    const file = OutputFile.open('--pcap', '/dev/null');
    file.write('gone');
    file.commit();
    expect(existsSync('/dev/null')).toBe(true);
  });

  it('says in one line why a file cannot be written', () => {
    mkdirSync(join(directory, 'there'));
    writeFileSync(join(directory, 'plain'), '');
    const cases: [string, RegExp][] = [
      [join(directory, 'there'), /is a directory: give the name of a file/],
      [join(directory, 'missing', 'run.log'), /missing does not exist: create it or give another file/],
      [join(directory, 'plain', 'run.log'), /not a directory/],
      [join(directory, `${'x'.repeat(300)}.log`), /too long/],
    ];
    if (process.getuid?.() !== 0) {
      chmodSync(join(directory, 'there'), 0o500);
      cases.push([join(directory, 'there', 'run.log'), /permission denied/]);
    }
    for (const [path, message] of cases) {
      expect(() => OutputFile.open('--pcap', path)).toThrow(UsageError);
      expect(() => OutputFile.open('--pcap', path)).toThrow(message);
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
