import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeOutput } from '../src/commands/files.ts';

const folder = mkdtempSync(join(tmpdir(), 'qanat-output-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);

describe('the file of an output', () => {
  it('is made where a link leads to that has no file yet, and the link stays one', () => {
    mkdirSync(path('far'));
    symlinkSync('far/second', path('first'));
    symlinkSync('there', path('far/second'));
    writeOutput(path('first'), 'new');
    expect(readlinkSync(path('first'))).toBe('far/second');
    expect(readlinkSync(path('far/second'))).toBe('there');
    expect(readFileSync(path('far/there'), 'utf8')).toBe('new');
    symlinkSync('nowhere/there', path('lost'));
    expect(() => writeOutput(path('lost'), 'new')).toThrow(/lost cannot be written/);
    expect(readdirSync(folder).sort()).toEqual(['far', 'first', 'lost']);
  });

  it('is replaced with the permissions that it had', () => {
    for (const mode of [0o600, 0o666]) {
      writeFileSync(path('kept'), 'old');
      chmodSync(path('kept'), mode);
      writeOutput(path('kept'), 'new');
      expect(readFileSync(path('kept'), 'utf8')).toBe('new');
      expect(statSync(path('kept')).mode & 0o777).toBe(mode);
    }
  });

  it.skipIf(!existsSync('/dev/shm'))('is replaced in memory, too', () => {
    const memory = mkdtempSync('/dev/shm/qanat-output-');
    try {
      writeOutput(`${memory}/out`, 'old');
      writeOutput(`${memory}/out`, 'new');
      expect(readFileSync(`${memory}/out`, 'utf8')).toBe('new');
    } finally {
      rmSync(memory, { recursive: true });
    }
  });
});
