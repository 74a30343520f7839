// Writes docs/EDGE-CASES.md: the cases that other user-space stacks got wrong, and the tests that show how each goes here.
//
// scripts/edge-cases.json has the cases (E) and behaviours (B); a test is named by its file and the beginning of its title,
// a packetdrill script by its path. `node scripts/edge-cases.mjs` writes the page; with `--check` it writes nothing and
// exits 1 when a case names no test or one that is not there, or the page is not up to date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGE = 'docs/EDGE-CASES.md';
const EDGE_CASES = 34;

/**
 * @param {string} root the workspace's folder.
 * @returns {{ page: string, problems: string[] }} the page, and what is wrong with its sources.
 */
export function edgeCases(root) {
  const cases = JSON.parse(readFileSync(join(root, 'scripts', 'edge-cases.json'), 'utf8'));
  const problems = [];
  const ids = cases.map(({ id }) => id);
  if (new Set(ids).size !== ids.length) problems.push('edge-cases.json: an id is there twice');
  for (let n = 1; n <= EDGE_CASES; n++) if (!ids.includes(`E${n}`)) problems.push(`edge-cases.json: E${n} is missing`);
  for (const { id, tests } of cases) {
    if (tests.length === 0) problems.push(`edge-cases.json: ${id} names no test`);
    for (const test of tests) if (!isThere(root, test)) problems.push(`edge-cases.json: ${id}: there is no '${test}'`);
  }
  return { page: render(cases), problems };
}

function isThere(root, test) {
  const [file, title] = parts(test);
  const path = join(root, file);
  if (!existsSync(path)) return false;
  if (title === undefined) return true;
  const text = readFileSync(path, 'utf8');
  return ["'", '"', '`'].some((quote) => text.includes(`(${quote}${title}`) || text.includes(` ${quote}${title}`));
}

/** @returns {[string, string | undefined]} the file, and the beginning of the title. */
function parts(test) {
  const colon = test.indexOf(': ');
  return colon < 0 ? [test, undefined] : [test.slice(0, colon), test.slice(colon + 2)];
}

function render(cases) {
  const lines = [
    '# Edge cases, one by one',
    '',
    'What other user-space stacks got wrong, or leave out, and the tests that show how it goes here. Written by',
    '`node scripts/edge-cases.mjs` from `scripts/edge-cases.json`; do not edit it by hand. `pnpm lint` fails when a case names a',
    'test that is not there. The requirements of RFC 9293 have a page of their own: [RFC9293.md](RFC9293.md).',
  ];
  const parts = [
    ['E', '## Edge cases'],
    ['B', '## Behaviours that conformance suites test'],
  ];
  for (const [kind, title] of parts) {
    lines.push('', title, '', '| | case | shown by |', '|---|---|---|');
    for (const { id, what, choice, tests } of cases.filter((row) => row.id.startsWith(kind))) {
      const text = choice === undefined ? what : `${what}. **Choice**: ${choice}`;
      lines.push(`| ${id} | ${cell(text)} | ${tests.map(testCell).join('<br>')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function testCell(test) {
  const [file, title] = parts(test);
  const name = file.replace(/^packages\//, '').replace(/\/(test|scripts)\//, '/');
  return `[${name}](../${file})${title === undefined ? '' : `: ${cell(title)}`}`;
}

function cell(text) {
  return text.replace(/\|/g, '\\|').replace(/</g, '&lt;');
}

function main() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const path = join(root, PAGE);
  const { page, problems } = edgeCases(root);
  if (process.argv.includes('--check')) {
    const old = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (old !== page) problems.push(`${PAGE} is not up to date: run node scripts/edge-cases.mjs`);
  } else {
    writeFileSync(path, page);
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
