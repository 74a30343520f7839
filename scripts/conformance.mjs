// Writes docs/RFC9293.md: the requirements of RFC 9293, Appendix B, how each stands here, and the tests that show it.
//
// What is required and how it stands is in scripts/rfc9293.json. A test shows a requirement by a tag in its title, or in
// that of a `describe` around it: `it('... [MUST-10]')`; a packetdrill script by a comment: `// [MUST-10]`.
//
// `node scripts/conformance.mjs` writes the page; with `--check` it writes nothing and exits 1 when a requirement that
// is met names no test, a tag or a row is not known, or the page is not up to date.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** How many of each kind Appendix B has. */
const COUNTS = { MUST: 69, SHLD: 31, MAY: 18, REC: 1 };
const STATUSES = ['met', 'not met', 'not applicable', 'choice'];
const TAG = /\[((?:MUST|SHLD|MAY|REC)-\d+)\]/g;
const PAGE = 'docs/RFC9293.md';

/**
 * @param {string} root the workspace's folder.
 * @returns {{ page: string, problems: string[] }} the page, and what is wrong with its sources.
 */
export function conformance(root) {
  const problems = [];
  const rows = JSON.parse(readFileSync(join(root, 'scripts', 'rfc9293.json'), 'utf8'));
  const known = checkRows(rows, problems);
  const shown = new Map(rows.map(({ id }) => [id, []]));
  for (const { file, title, tags } of taggedTests(root)) {
    for (const id of tags) {
      if (known.has(id)) shown.get(id).push({ file, title });
      else problems.push(`${file}: [${id}] is no requirement of RFC 9293 (${title})`);
    }
  }
  for (const { id, status } of rows) {
    if (status === 'met' && shown.get(id)?.length === 0) problems.push(`${id} is said to be met, and no test shows it`);
  }
  return { page: render(rows, shown), problems };
}

function checkRows(rows, problems) {
  const known = new Set();
  for (const { id, section, what, status, why } of rows) {
    if (known.has(id)) problems.push(`rfc9293.json: ${id} is there twice`);
    known.add(id);
    if (!section || !what) problems.push(`rfc9293.json: ${id} lacks its section or what it says`);
    if (!STATUSES.includes(status)) problems.push(`rfc9293.json: ${id} has the status '${status}'`);
    if (status !== 'met' && !why) problems.push(`rfc9293.json: ${id} is '${status}' and does not say why`);
  }
  for (const [kind, count] of Object.entries(COUNTS)) {
    for (let n = 1; n <= count; n++) {
      if (!known.has(`${kind}-${n}`)) problems.push(`rfc9293.json: ${kind}-${n} is missing`);
    }
  }
  const total = Object.values(COUNTS).reduce((sum, count) => sum + count);
  if (known.size > total) problems.push(`rfc9293.json: ${known.size} requirements, Appendix B has ${total}`);
  return known;
}

/** Every test and script with a tag, in the order of their files. */
function taggedTests(root) {
  const found = [];
  for (const name of readdirSync(join(root, 'packages')).sort()) {
    for (const file of filesUnder(join(root, 'packages', name, 'test'), '.test.ts')) found.push(...testsOf(root, file));
  }
  for (const file of filesUnder(join(root, 'packages', 'packetdrill', 'scripts'), '.pkt')) {
    const comments = readFileSync(file, 'utf8').match(/\/\/.*$/gm) ?? [];
    const tags = tagsIn(comments.join('\n'));
    if (tags.length > 0) found.push({ file: pathOf(root, file), title: 'script', tags });
  }
  return found;
}

function filesUnder(folder, ending) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesUnder(path, ending);
      return entry.name.endsWith(ending) ? [path] : [];
    });
}

function testsOf(root, file) {
  const text = readFileSync(file, 'utf8');
  if (text.search(TAG) < 0) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found = [];
  const visit = (node) => {
    if (ts.isCallExpression(node) && /^(it|test|describe)\b/.test(node.expression.getText(source))) {
      const title = node.arguments[0] && titleOf(node.arguments[0], source);
      const tags = title === undefined ? [] : tagsIn(title);
      if (tags.length > 0) found.push({ file: pathOf(root, file), title: title.replace(TAG, '').trim(), tags });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function titleOf(node, source) {
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isTemplateExpression(node) ? node.getText(source).slice(1, -1) : undefined;
}

function tagsIn(text) {
  return [...new Set([...text.matchAll(TAG)].map(([, id]) => id))];
}

function pathOf(root, file) {
  return relative(root, file).split(sep).join('/');
}

function render(rows, shown) {
  const lines = [
    '# RFC 9293, requirement by requirement',
    '',
    'The requirements of RFC 9293, Appendix B, in our words, how each stands here, and the tests that show it. Written by',
    '`node scripts/conformance.mjs` from `scripts/rfc9293.json` and the tags in the tests; do not edit it by hand.',
    '`pnpm lint` fails when a requirement that is met names no test, or when this page is not up to date.',
    '',
    '- **met**: as required; what is added says where the RFC leaves room.',
    '- **not met**: and why.',
    '- **choice**: the RFC allows both; what we do, and why.',
    '- **not applicable**: a rule for somebody else.',
    '',
    `| | ${STATUSES.join(' | ')} | all |`,
    `|---|${'---|'.repeat(STATUSES.length + 1)}`,
  ];
  for (const kind of Object.keys(COUNTS)) {
    const of = rows.filter(({ id }) => id.startsWith(`${kind}-`));
    const counts = STATUSES.map((status) => of.filter((row) => row.status === status).length);
    lines.push(`| ${kind} | ${counts.join(' | ')} | ${of.length} |`);
  }
  lines.push('', '| id | section | what | status | shown by |', '|---|---|---|---|---|');
  for (const { id, section, what, status, why } of rows) {
    const state = `**${status}**${why === undefined ? '' : `: ${why}`}`;
    lines.push(`| ${[id, section, what, state].map(cell).join(' | ')} | ${testsCell(shown.get(id) ?? [])} |`);
  }
  return `${lines.join('\n')}\n`;
}

/** The tests of one row, by file. */
function testsCell(tests) {
  const byFile = new Map();
  for (const { file, title } of tests) byFile.set(file, [...(byFile.get(file) ?? []), title]);
  return [...byFile]
    .map(([file, titles]) => {
      const name = file.replace(/^packages\//, '').replace(/\/(test|scripts)\//, '/');
      return `[${name}](../${file})${titles[0] === 'script' ? '' : `: ${cell([...new Set(titles)].join('; '))}`}`;
    })
    .join('<br>');
}

function cell(text) {
  return text.replace(/\|/g, '\\|').replace(/</g, '&lt;').replace(/\n/g, ' ');
}

function main() {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  const path = join(root, PAGE);
  const { page, problems } = conformance(root);
  if (process.argv.includes('--check')) {
    const old = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (old !== page) problems.push(`${PAGE} is not up to date: run node scripts/conformance.mjs`);
  } else {
    writeFileSync(path, page);
  }
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
