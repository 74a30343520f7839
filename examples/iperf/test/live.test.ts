import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTrace } from '@qanat/flowlog';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LivePage } from '../src/live.ts';
import { type IperfOptions, parseOptions } from '../src/options.ts';
import { IperfRun } from '../src/run.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'qanat-live-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Runs with a page. @param onUrl is called with its address before the run begins. */
async function runLive(line: string, onUrl: (url: string) => void): Promise<number> {
  const output = {
    isTerminal: false,
    lines(lines: readonly string[]): void {
      for (const text of lines) {
        const found = /^Live: (\S+)/.exec(text);
        if (found !== null) onUrl(found[1]!);
      }
    },
    live(): void {},
    error(text: string): void {
      throw new Error(text);
    },
  };
  return await new IperfRun(parseOptions(line.split(' ')) as IperfOptions, output).run();
}

describe('--live', () => {
  it.each([
    ['virtual', '-t 0.5 --rate 20M'],
    ['cooperative', '-n 3M'],
  ])('on %s CPUs gives whoever stays all that the file gets, whoever goes away', async (machine, line) => {
    const path = join(directory, 'run.qflow');
    let stays: Promise<Uint8Array> = Promise.resolve(new Uint8Array(0));
    let page: Promise<string> = Promise.resolve('');
    let goes: Promise<number> = Promise.resolve(0);
    const code = await runLive(`--machine ${machine} ${line} --live --flow-log ${path}`, (url) => {
      page = fetch(url).then((answer) => answer.text());
      stays = fetch(`${url}live`).then(async (answer) => new Uint8Array(await answer.arrayBuffer()));
      goes = fetch(`${url}live`).then(async ({ body }) => {
        const reader = body!.getReader();
        const { value } = await reader.read();
        await reader.cancel();
        return value?.length ?? 0;
      });
    });
    expect(code).toBe(0);
    expect(await page).toContain('<title>iperf, live · Qanat</title>');
    expect(await goes).toBeGreaterThan(0);
    const streamed = await stays;
    expect(Buffer.compare(streamed, readFileSync(path))).toBe(0);
    const { flows, problems } = readTrace(streamed);
    expect(problems).toEqual([]);
    expect(flows.map(({ segments }) => segments.rows > 20)).toEqual([true, true]);
  });

  it('says in a sentence that its port is in use', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { readonly port: number };
    await expect(LivePage.open(port)).rejects.toThrow(`--live ${port}: port ${port} is in use: choose another`);
    other.close();
  });
});
