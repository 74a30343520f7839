// Builds, then runs a program of the repo: `node scripts/start.mjs examples/iperf/dist/main.js -t 5`.
//
// Who is used to npm writes `--` in front of the options, and pnpm hands that on to the program, to which it would say
// that none of them is an option: one that comes first is left out.
import { fileURLToPath } from 'node:url';
import './build.mjs';

const [program, ...given] = process.argv.slice(2);
const url = new URL(`../${program}`, import.meta.url);
process.argv = [process.execPath, fileURLToPath(url), ...given.slice(given[0] === '--' ? 1 : 0)];
await import(url.href);
