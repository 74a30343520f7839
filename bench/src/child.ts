import { spawn } from 'node:child_process';

/**
 * Runs Node on a script and waits for it.
 * @returns its standard output. @throws Error with its standard error when it fails.
 */
export function runNode(script: URL, nodeOptions: readonly string[], args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...nodeOptions, script.pathname, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${script.pathname} ended with ${signal ?? code}: ${errors.trim() || output.trim()}`));
    });
  });
}
