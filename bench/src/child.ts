import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onCleanup } from './cleanup.ts';

export interface Output {
  readonly stdout: string;
  /** What came on file descriptor 3. */
  readonly extra: string;
}

/**
 * Runs a program and waits for it. It dies with this process.
 * @throws Error with its standard error when it fails.
 */
export function runProgram(file: string, args: readonly string[]): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    const forget = onCleanup(() => void child.kill('SIGKILL'));
    const texts = ['', '', ''];
    for (const [i, stream] of [child.stdout, child.stderr, child.stdio[3]].entries()) {
      if (stream === null || stream === undefined || !('setEncoding' in stream)) continue;
      stream.setEncoding('utf8').on('data', (chunk: string) => (texts[i] += chunk));
    }
    child.on('error', reject);
    child.on('close', (code, signal) => {
      forget();
      const [stdout = '', stderr = '', extra = ''] = texts;
      if (code === 0) resolve({ stdout, extra });
      else
        reject(new Error(`${file} ${args.join(' ')} ended with ${signal ?? code}: ${stderr.trim() || stdout.trim()}`));
    });
  });
}

/** Runs Node on a script and waits for it. @returns its standard output. @throws Error when it fails. */
export async function runNode(script: URL, nodeOptions: readonly string[], args: readonly string[]): Promise<string> {
  return (await runProgram(process.execPath, [...nodeOptions, fileURLToPath(script), ...args])).stdout;
}

/** Has the main thread write the CPU time of the whole process to file descriptor 3 when it ends. */
const REPORT_CPU = `data:text/javascript,${encodeURIComponent(
  [
    "import { writeSync } from 'node:fs';",
    "import { isMainThread } from 'node:worker_threads';",
    "if (isMainThread) process.on('exit', () => writeSync(3, JSON.stringify(process.cpuUsage())));",
  ].join('\n'),
)}`;

export interface MeasuredOutput {
  readonly stdout: string;
  /** User and system time of all threads of the process, from its start to its end. */
  readonly cpuSeconds: number;
}

/** Runs Node on a script, and measures its CPU time. @throws Error when it fails. */
export async function runNodeMeasured(
  script: URL,
  nodeOptions: readonly string[],
  args: readonly string[],
): Promise<MeasuredOutput> {
  const options = ['--import', REPORT_CPU, ...nodeOptions, fileURLToPath(script), ...args];
  const { stdout, extra } = await runProgram(process.execPath, options);
  const { user, system } = JSON.parse(extra) as NodeJS.CpuUsage;
  return { stdout, cpuSeconds: (user + system) / 1e6 };
}
