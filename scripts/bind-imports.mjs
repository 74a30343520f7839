// Binds what the built modules import from each other, and the constants that they export, to constants of the module
// itself: `pnpm build` runs it after tsc.
//
// V8 reads an imported or exported binding from its cell at each use, and tests each time that its module was
// initialized; a constant that only the module knows it puts into the code it compiles, and what that constant calls it
// inlines for less. On the path of a packet that is one instruction in five. So
//
//   import { seqLt } from "./seq.js";
//   export const ACK = 0x10;
//
// becomes, each on its line, so that source maps hold,
//
//   import { seqLt as seqLt$import } from "./seq.js"; const seqLt = seqLt$import;
//   const ACK = 0x10; const ACK$export = ACK; export { ACK$export as ACK };
//
// That is the same thing as long as no file takes part in a circle of imports (check-floors.mjs sees to it), and no
// exported binding is assigned to (which this script refuses). A build without this step works as well, only slower.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const IMPORT = '$import';
const EXPORT = '$export';
const IS_EXPORT = ({ kind }) => kind === ts.SyntaxKind.ExportKeyword;
/** Our own modules: files of the package, and the packages of the workspace. */
const OURS = /^(\.{1,2}\/|@qanat\/|qanat$)/;
/** Where packages are: folders of folders with a `dist`, or such a folder itself. */
const PLACES = ['packages', 'examples', 'bench'];

/**
 * @returns the module with its imports bound; the same string where there is nothing (more) to bind.
 * @param {string} code a module as tsc writes it. @param {string} name for messages.
 * @throws Error when the module exports a binding that may change.
 */
export function bindImports(code, name) {
  const isBound = code.includes(IMPORT) || code.includes(EXPORT);
  if (isBound || !/^(import|export) (\{|const|let|var)/m.test(code)) return code;
  const source = ts.createSourceFile(name, code, ts.ScriptTarget.Latest, false, ts.ScriptKind.JS);
  refuseVariables(source);
  /** [from, to, text in its place]. */
  const edits = [];
  const imported = [];
  let end = 0;
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement)) bindConstants(statement, edits);
    if (!ts.isImportDeclaration(statement)) continue;
    end = statement.end;
    const named = statement.importClause?.namedBindings;
    if (named === undefined || !ts.isNamedImports(named) || !OURS.test(statement.moduleSpecifier.text)) continue;
    for (const { name: local, propertyName } of named.elements) {
      edits.push([local.end, local.end, propertyName === undefined ? ` as ${local.text}${IMPORT}` : IMPORT]);
      imported.push(`${local.text} = ${local.text}${IMPORT}`);
    }
  }
  if (imported.length > 0) edits.push([end, end, ` const ${imported.join(', ')};`]);
  let bound = '';
  let at = 0;
  for (const [from, to, text] of edits.sort(([a], [b]) => a - b)) {
    bound += code.slice(at, from) + text;
    at = to;
  }
  return bound + code.slice(at);
}

/** `export const A = 1;`: the module keeps A to itself, and exports it by another name as A. */
function bindConstants(statement, edits) {
  const keyword = statement.modifiers?.find(IS_EXPORT);
  const names = statement.declarationList.declarations.map(({ name }) => name);
  if (keyword === undefined || !names.every(ts.isIdentifier)) return;
  const pairs = names.map(({ text }) => [text, `${text}${EXPORT}`]);
  const constants = pairs.map(([name, other]) => `${other} = ${name}`).join(', ');
  const exports = pairs.map(([name, other]) => `${other} as ${name}`).join(', ');
  edits.push([keyword.end - 'export'.length, keyword.end + 1, '']);
  edits.push([statement.end, statement.end, ` const ${constants}; export { ${exports} };`]);
}

/** @throws Error when the module exports a variable, itself or by a list, that is no constant. */
function refuseVariables(source) {
  const exported = new Set();
  const variables = new Set();
  for (const statement of source.statements) {
    if (ts.isExportDeclaration(statement) && statement.moduleSpecifier === undefined && statement.exportClause) {
      for (const { name, propertyName } of statement.exportClause.elements) exported.add((propertyName ?? name).text);
    }
    if (!ts.isVariableStatement(statement) || statement.declarationList.flags & ts.NodeFlags.Const) continue;
    const isExported = statement.modifiers?.some(IS_EXPORT) ?? false;
    for (const { name } of statement.declarationList.declarations) {
      if (!ts.isIdentifier(name)) continue;
      variables.add(name.text);
      if (isExported) exported.add(name.text);
    }
  }
  for (const name of variables) {
    if (exported.has(name))
      throw new Error(`${source.fileName}: '${name}' is exported and may change: export a function`);
  }
}

/** @returns the paths of the modules that the workspace at `root` has built. @param {string} root */
function builtModules(root) {
  return PLACES.flatMap((place) => [join(root, place), ...folders(join(root, place))])
    .map((folder) => join(folder, 'dist'))
    .filter((dist) => existsSync(dist))
    .flatMap((dist) => readdirSync(dist, { recursive: true }).map((file) => join(dist, file)))
    .filter((file) => file.endsWith('.js'));
}

function folders(place) {
  return readdirSync(place, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(place, entry.name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('..', import.meta.url));
  for (const file of builtModules(root)) {
    const code = readFileSync(file, 'utf8');
    const bound = bindImports(code, relative(root, file));
    if (bound !== code) writeFileSync(file, bound);
  }
}
