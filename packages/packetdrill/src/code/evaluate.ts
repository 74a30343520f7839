import { UnsupportedError } from '../errors.ts';
import { CodeError, type Expr, type Statement, type Value } from './ast.ts';
import { formatString, show } from './format.ts';

/** An assert that did not hold. */
export class AssertionFailure extends Error {
  readonly offset: number;
  /** The statement as written. */
  readonly source: string;
  /** The names in it with their values. */
  readonly values: string;

  constructor(offset: number, source: string, message: string | undefined, values: string) {
    super(message ?? source);
    this.name = 'AssertionFailure';
    this.offset = offset;
    this.source = source;
    this.values = values;
  }
}

/** Where a snippet's names live, and where its output goes. */
export interface CodeScope {
  /** Variables that the script's snippets set; they persist from one snippet to the next. */
  readonly variables: Map<string, Value>;
  /** tcp_info at the time of the snippet, and constants. @returns undefined for an unknown name. */
  lookup(name: string): Value | undefined;
  print(line: string): void;
}

type Builtin = (args: readonly Value[], offset: number) => Value;

const BUILTINS = new Map<string, Builtin>([
  ['abs', (args, offset) => Math.abs(numeric(args[0], offset))],
  ['int', (args, offset) => Math.trunc(typeof args[0] === 'string' ? Number(args[0]) : numeric(args[0], offset))],
  ['float', (args, offset) => (typeof args[0] === 'string' ? Number(args[0]) : numeric(args[0], offset))],
  ['bool', (args) => truth(args[0] ?? false)],
  ['str', (args) => show(args[0] ?? '')],
  ['round', (args, offset) => Math.round(numeric(args[0], offset))],
  ['min', (args, offset) => Math.min(...spread(args).map((v) => numeric(v, offset)))],
  ['max', (args, offset) => Math.max(...spread(args).map((v) => numeric(v, offset)))],
  ['len', (args) => (typeof args[0] === 'string' || Array.isArray(args[0]) ? args[0].length : 0)],
  ['hex', (args, offset) => `0x${numeric(args[0], offset).toString(16)}`],
]);

/**
 * Runs a snippet.
 * @throws AssertionFailure, or CodeError (an unknown name, a type error, a division by zero).
 */
export function runCode(statements: readonly Statement[], scope: CodeScope): void {
  for (const statement of statements) runStatement(statement, scope);
}

function runStatement(statement: Statement, scope: CodeScope): void {
  switch (statement.kind) {
    case 'assert':
      runAssert(statement, scope);
      break;
    case 'assign':
      runAssign(statement, scope);
      break;
    case 'print':
      scope.print(statement.values.map((value) => show(evaluate(value, scope))).join(' '));
      break;
    case 'if': {
      const taken = statement.branches.find((branch) => truth(evaluate(branch.test, scope)));
      runCode(taken ? taken.body : statement.otherwise, scope);
      break;
    }
    case 'expression':
      evaluate(statement.value, scope);
      break;
    case 'pass':
      break;
  }
}

function runAssert(statement: Extract<Statement, { kind: 'assert' }>, scope: CodeScope): void {
  if (truth(evaluate(statement.test, scope))) return;
  const message = statement.message === undefined ? undefined : show(evaluate(statement.message, scope));
  const values = [...new Set(namesIn(statement.test))].map((name) => `${name} = ${show(read(name, 0, scope))}`);
  throw new AssertionFailure(statement.offset, statement.source, message, values.join(', '));
}

function runAssign(statement: Extract<Statement, { kind: 'assign' }>, scope: CodeScope): void {
  const { names, operator, offset } = statement;
  const value = evaluate(statement.value, scope);
  if (operator !== '=') {
    const name = names[0]!;
    scope.variables.set(name, binary(operator.slice(0, -1), read(name, offset, scope), value, offset));
    return;
  }
  if (names.length === 1) {
    scope.variables.set(names[0]!, value);
    return;
  }
  if (!Array.isArray(value) || value.length !== names.length) {
    throw new CodeError(offset, `cannot spread the value over ${names.length} names`);
  }
  for (const [i, name] of names.entries()) scope.variables.set(name, value[i] as Value);
}

function read(name: string, offset: number, scope: CodeScope): Value {
  const value = scope.variables.get(name) ?? scope.lookup(name);
  if (value === undefined) throw new CodeError(offset, `the name "${name}" is not defined`);
  return value;
}

function namesIn(expr: Expr): string[] {
  switch (expr.kind) {
    case 'constant':
      return [];
    case 'name':
      return [expr.name];
    case 'tuple':
      return expr.items.flatMap(namesIn);
    case 'unary':
      return namesIn(expr.operand);
    case 'binary':
    case 'logical':
      return [...namesIn(expr.left), ...namesIn(expr.right)];
    case 'compare':
      return [...namesIn(expr.first), ...expr.rest.flatMap((r) => namesIn(r.operand))];
    case 'conditional':
      return [...namesIn(expr.test), ...namesIn(expr.whenTrue), ...namesIn(expr.whenFalse)];
    case 'call':
      return expr.args.flatMap(namesIn);
  }
}

export function evaluate(expr: Expr, scope: CodeScope): Value {
  switch (expr.kind) {
    case 'constant':
      return expr.value;
    case 'name':
      return read(expr.name, expr.offset, scope);
    case 'tuple':
      return expr.items.map((item) => evaluate(item, scope));
    case 'unary':
      return unary(expr.operator, evaluate(expr.operand, scope), expr.offset);
    case 'binary':
      return binary(expr.operator, evaluate(expr.left, scope), evaluate(expr.right, scope), expr.offset);
    case 'logical': {
      const left = evaluate(expr.left, scope);
      return truth(left) === (expr.operator === 'and') ? evaluate(expr.right, scope) : left;
    }
    case 'compare': {
      let left = evaluate(expr.first, scope);
      for (const { operator, operand } of expr.rest) {
        const right = evaluate(operand, scope);
        if (!compare(operator, left, right, expr.offset)) return false;
        left = right;
      }
      return true;
    }
    case 'conditional':
      return evaluate(truth(evaluate(expr.test, scope)) ? expr.whenTrue : expr.whenFalse, scope);
    case 'call': {
      const builtin = BUILTINS.get(expr.name);
      if (!builtin) throw new UnsupportedError(`the function ${expr.name}() is not supported in code snippets`);
      return builtin(
        expr.args.map((arg) => evaluate(arg, scope)),
        expr.offset,
      );
    }
  }
}

function truth(value: Value): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function numeric(value: Value | undefined, offset: number): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  throw new CodeError(offset, `expected a number, found ${value === undefined ? 'nothing' : show(value)}`);
}

function spread(args: readonly Value[]): readonly Value[] {
  const [first] = args;
  return args.length === 1 && Array.isArray(first) ? (first as readonly Value[]) : args;
}

function unary(operator: string, value: Value, offset: number): Value {
  if (operator === 'not') return !truth(value);
  const operand = numeric(value, offset);
  if (operator === '-') return -operand;
  return operator === '~' ? -operand - 1 : operand;
}

function binary(operator: string, left: Value, right: Value, offset: number): Value {
  if (operator === '%' && typeof left === 'string') return formatString(left, right, offset);
  if (operator === '+' && typeof left === 'string' && typeof right === 'string') return left + right;
  const a = numeric(left, offset);
  const b = numeric(right, offset);
  if ((operator === '/' || operator === '//' || operator === '%') && b === 0)
    throw new CodeError(offset, 'division by zero');
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '//':
      return Math.floor(a / b);
    case '%':
      return a - Math.floor(a / b) * b;
    case '**':
      return a ** b;
    case '<<':
      return a * 2 ** b;
    case '>>':
      return Math.floor(a / 2 ** b);
    case '&':
      return Number(BigInt(Math.trunc(a)) & BigInt(Math.trunc(b)));
    case '|':
      return Number(BigInt(Math.trunc(a)) | BigInt(Math.trunc(b)));
    case '^':
      return Number(BigInt(Math.trunc(a)) ^ BigInt(Math.trunc(b)));
  }
  throw new CodeError(offset, `unknown operator "${operator}"`);
}

function equal(a: Value, b: Value): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => equal(item as Value, b[i] as Value));
  if (typeof a === 'boolean' || typeof b === 'boolean') return Number(a) === Number(b);
  return a === b;
}

function compare(operator: string, a: Value, b: Value, offset: number): boolean {
  switch (operator) {
    case '==':
      return equal(a, b);
    case '!=':
      return !equal(a, b);
    case 'in':
    case 'not in': {
      const found =
        typeof b === 'string' ? b.includes(show(a)) : Array.isArray(b) && b.some((item) => equal(a, item as Value));
      return found === (operator === 'in');
    }
  }
  const [x, y] = typeof a === 'string' && typeof b === 'string' ? [a, b] : [numeric(a, offset), numeric(b, offset)];
  if (operator === '<') return x < y;
  if (operator === '<=') return x <= y;
  return operator === '>' ? x > y : x >= y;
}
