#!/usr/bin/env node
import { main } from './command.ts';

// Whoever reads the output may leave early, as `head` does.
process.stdout.on('error', () => process.exit(1));

process.exitCode = await main(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
  progress: process.stderr.isTTY === true,
});
