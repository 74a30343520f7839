// Checks what imports what: docs/ARCHITECTURE.md names the floors. Prints `file:line: rule` and exits 1 on a breach.
//
// - An import points to a lower floor, or is one of the exceptions on the same floor. Type imports count.
// - Another package is entered by its `exports` only, never by a path into its folders.
// - Files of a package do not import each other in a circle (type imports, which vanish, do not count).
// - What is imported is declared in package.json, what is declared is imported, and both agree with tsconfig.json.
//
// Only src/ is looked at: tests are free.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** From the ground up. */
const FLOORS = [
  ['ground', ['@qanat/bytes', '@qanat/clock']],
  [
    'protocols',
    [
      ...['@qanat/ethernet', '@qanat/arp', '@qanat/ipv4', '@qanat/icmp', '@qanat/udp', '@qanat/tcp'],
      ...['@qanat/dhcp', '@qanat/dns', '@qanat/flowlog'],
    ],
  ],
  ['machine', ['@qanat/xen', '@qanat/os']],
  ['links', ['@qanat/link', '@qanat/netfront', '@qanat/netback', '@qanat/tap', '@qanat/frame-stream', '@qanat/vxlan']],
  ['host', ['@qanat/stack']],
  ['faces', ['@qanat/node-net', '@qanat/sockets', '@qanat/packetdrill', '@qanat/tcpvis', 'qanat']],
];
/** Everything in examples/ and bench/ is on the top floor. */
const TOP = 'apps';

/** Imports that are right on one floor: importer -> imported. */
const SAME_FLOOR = {
  '@qanat/arp': ['@qanat/ethernet'],
  '@qanat/icmp': ['@qanat/ipv4'],
  '@qanat/udp': ['@qanat/ipv4'],
  '@qanat/tcp': ['@qanat/ipv4'],
  '@qanat/dhcp': ['@qanat/udp', '@qanat/tcp'],
  '@qanat/dns': ['@qanat/udp', '@qanat/tcp'],
  '@qanat/flowlog': ['@qanat/tcp'],
  '@qanat/os': ['@qanat/xen'],
  '@qanat/netfront': ['@qanat/link'],
  '@qanat/netback': ['@qanat/link'],
  '@qanat/tap': ['@qanat/link'],
  '@qanat/frame-stream': ['@qanat/link'],
  '@qanat/vxlan': ['@qanat/link'],
};

/** @returns what is wrong, as `file:line: rule`, sorted. @param {string} root the workspace's folder. */
export function checkFloors(root) {
  const problems = [];
  const packages = findPackages(root);
  const byName = new Map(packages.map((pkg) => [pkg.name, pkg]));
  for (const pkg of packages) checkPackage(root, pkg, byName, (...problem) => problems.push(problem));
  return problems
    .sort(([fileA, lineA], [fileB, lineB]) => (fileA < fileB ? -1 : fileA > fileB ? 1 : lineA - lineB))
    .map(([file, line, rule]) => `${relative(root, file)}:${line}: ${rule}`);
}

function findPackages(root) {
  const folders = [join(root, 'bench')];
  for (const parent of ['packages', 'examples']) {
    if (!existsSync(join(root, parent))) continue;
    for (const name of readdirSync(join(root, parent))) folders.push(join(root, parent, name));
  }
  return folders
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => {
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const atTop = relative(root, folder).split(sep)[0] !== 'packages';
      const floor = atTop ? FLOORS.length : FLOORS.findIndex(([, names]) => names.includes(manifest.name));
      return { folder, name: manifest.name, manifest, floor };
    });
}

const floorName = (floor) => FLOORS[floor]?.[0] ?? TOP;

function checkPackage(root, pkg, byName, report) {
  const manifestFile = join(pkg.folder, 'package.json');
  if (pkg.floor < 0) {
    report(manifestFile, 1, `${pkg.name} is on no floor: scripts/check-floors.mjs does not know it`);
    return;
  }
  const declared = new Set(['dependencies', 'peerDependencies', 'optionalDependencies'].flatMap(keysOf(pkg.manifest)));
  const used = new Set();
  const graph = new Map();
  for (const file of sourceFiles(join(pkg.folder, 'src'))) {
    const edges = [];
    for (const { specifier, line, isType } of importsOf(file)) {
      if (specifier.startsWith('.')) {
        const target = resolve(dirname(file), specifier);
        if (!target.startsWith(pkg.folder + sep)) {
          report(file, line, `'${specifier}' leads out of ${pkg.name}: import the other package by its name`);
        } else if (!isType) edges.push({ target, line });
        continue;
      }
      if (isBuiltin(specifier)) continue;
      const name = packageOf(specifier);
      used.add(name);
      if (name === pkg.name) {
        report(file, line, `${pkg.name} imports itself by name: use a relative path`);
        continue;
      }
      if (!declared.has(name)) report(file, line, `'${name}' is not in the dependencies of ${pkg.name}`);
      const target = byName.get(name);
      if (target === undefined) continue;
      const entry = `.${specifier.slice(name.length)}`;
      if (!(entry in (target.manifest.exports ?? {}))) {
        report(file, line, `'${specifier}' is not exported by ${name}: import what its package.json exports`);
      }
      checkDirection(pkg, target, (rule) => report(file, line, rule));
    }
    graph.set(file, edges);
  }
  reportCycles(graph, report);
  for (const name of declared) {
    const line = lineOf(manifestFile, `"${name}":`);
    const target = byName.get(name);
    if (target !== undefined && !used.has(name))
      checkDirection(pkg, target, (rule) => report(manifestFile, line, rule));
    if (!used.has(name)) report(manifestFile, line, `'${name}' is declared, and nothing in src imports it`);
  }
  checkReferences(root, pkg, declared, byName, report);
}

function checkDirection(from, to, report) {
  if (to.floor < 0 || to.floor < from.floor) return;
  if (to.floor === from.floor && SAME_FLOOR[from.name]?.includes(to.name)) return;
  const where = `${from.name} (${floorName(from.floor)}) must not import ${to.name} (${floorName(to.floor)})`;
  report(`${where}: imports point to lower floors`);
}

/** tsconfig.json must refer to the workspace packages that package.json declares, and to no others. */
function checkReferences(root, pkg, declared, byName, report) {
  const file = join(pkg.folder, 'tsconfig.json');
  if (!existsSync(file)) return report(join(pkg.folder, 'package.json'), 1, `${pkg.name} has no tsconfig.json`);
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile);
  if (error) return report(file, 1, ts.flattenDiagnosticMessageText(error.messageText, ' '));
  const devDeclared = new Set(keysOf(pkg.manifest)('devDependencies'));
  const referred = new Set();
  for (const { path } of config.references ?? []) {
    const folder = resolve(pkg.folder, path);
    const target = [...byName.values()].find((other) => other.folder === folder);
    const line = lineOf(file, `"${path}"`);
    if (target === undefined) report(file, line, `the reference '${path}' leads to no package`);
    else if (!declared.has(target.name) && !devDeclared.has(target.name)) {
      report(file, line, `refers to ${target.name}, which package.json does not declare`);
    }
    if (target !== undefined) referred.add(target.name);
  }
  for (const name of declared) {
    if (byName.has(name) && !referred.has(name))
      report(file, 1, `does not refer to ${name}, which package.json declares`);
  }
  const solution = join(root, 'tsconfig.json');
  const paths = ts.readConfigFile(solution, ts.sys.readFile).config?.references ?? [];
  if (!paths.some(({ path }) => resolve(root, path) === pkg.folder)) {
    report(solution, 1, `does not refer to ${relative(root, pkg.folder)}`);
  }
}

/** Reports each import that closes a circle, by depth-first search. */
function reportCycles(graph, report) {
  const done = new Set();
  const path = [];
  const visit = (file) => {
    path.push(file);
    for (const { target, line } of graph.get(file) ?? []) {
      const at = path.indexOf(target);
      if (at >= 0) {
        const circle = [...path.slice(at), target].map((name) => relative(dirname(file), name));
        report(file, line, `a circle of imports: ${circle.join(' -> ')}`);
      } else if (!done.has(target)) visit(target);
    }
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) if (!done.has(file)) visit(file);
}

/** Every import, re-export, import(), import type and import.meta.resolve() of a file. */
function importsOf(file) {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const found = [];
  const add = (node, isType) => {
    if (!ts.isStringLiteralLike(node)) return;
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    found.push({ specifier: node.text, line: line + 1, isType });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.isTypeOnly === true);
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.arguments.length > 0) {
      const { expression } = node;
      const isDynamic = expression.kind === ts.SyntaxKind.ImportKeyword;
      // Does not load anything here: a circle through it is none.
      if (isDynamic || expression.getText(source) === 'import.meta.resolve') add(node.arguments[0], true);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function sourceFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

const keysOf = (manifest) => (field) => Object.keys(manifest[field] ?? {});

const packageOf = (specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');

function lineOf(file, text) {
  return (
    readFileSync(file, 'utf8')
      .split('\n')
      .findIndex((line) => line.includes(text)) + 1
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkFloors(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
