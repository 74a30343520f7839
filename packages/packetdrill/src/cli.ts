#!/usr/bin/env node
import { main } from './command.ts';

process.exitCode = main(process.argv, {
  out: (text) => process.stdout.write(text),
  error: (text) => process.stderr.write(text),
});
