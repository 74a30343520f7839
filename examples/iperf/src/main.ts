#!/usr/bin/env node
import { parseOptions } from './options.ts';
import { UsageError } from './usage-error.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if ('text' in options) {
    process.stdout.write(options.text);
    return 0;
  }
  if (options.machine === 'threads' && typeof SharedArrayBuffer === 'undefined') {
    const alternative = 'use a JavaScript engine that has it, or --machine cooperative';
    throw new UsageError(`SharedArrayBuffer is missing, and threads share their memory by it: ${alternative}`);
  }
  // The machine is loaded only now: what needs threads may not load at all where they are missing.
  const { runIperf } = await import('./run.ts');
  return runIperf(options);
}

// Whoever reads the output may leave early, as `head` does.
process.stdout.on('error', () => process.exit(EXIT_FAILED));

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`iperf: ${error.message}\n`);
    process.exitCode = EXIT_USAGE;
  } else {
    process.stderr.write(`iperf: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = EXIT_FAILED;
  }
}
