import { UnsupportedError } from '../errors.ts';
import { CodeError, type Expr, type Statement, type Value } from './ast.ts';
import { type CodeToken, tokenize } from './tokens.ts';

const ASSIGNMENTS: readonly string[] = [
  '=',
  '+=',
  '-=',
  '*=',
  '/=',
  '//=',
  '%=',
  '&=',
  '|=',
  '^=',
  '<<=',
  '>>=',
  '**=',
];
const COMPARISONS: readonly string[] = ['<', '<=', '>', '>=', '==', '!='];
/** Binary operators from loose to tight. */
const LEVELS: readonly (readonly string[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '//', '%']];
const CONSTANTS = new Map<string, Value>([
  ['True', true],
  ['False', false],
  ['None', null],
]);
/** Python that this evaluator does not know: a script which uses it is skipped. */
const FOREIGN: readonly string[] = [
  'import',
  'from',
  'def',
  'class',
  'for',
  'while',
  'try',
  'with',
  'lambda',
  'global',
  'del',
  'raise',
  'return',
  'yield',
  'exec',
];
const MAX_DEPTH = 64;
/** Bounds the recursion over chains such as `a + a + ...`. */
const MAX_TOKENS = 4000;

/**
 * Parses a snippet.
 * @throws CodeError with an offset into the snippet on a syntax error.
 * @throws UnsupportedError for Python beyond the subset.
 */
export function parseCode(source: string): Statement[] {
  return new CodeParser(source).run();
}

class CodeParser {
  readonly #source: string;
  readonly #tokens: readonly CodeToken[];
  #index = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
    if (this.#tokens.length > MAX_TOKENS) throw new CodeError(0, 'this snippet is too long');
  }

  run(): Statement[] {
    const statements: Statement[] = [];
    while (this.#peek().kind !== 'end') this.#statementLine(statements);
    return statements;
  }

  #peek(): CodeToken {
    return this.#tokens[this.#index]!;
  }

  #next(): CodeToken {
    const token = this.#peek();
    if (token.kind !== 'end') this.#index++;
    return token;
  }

  #at(text: string): boolean {
    const token = this.#peek();
    return (token.kind === 'operator' || token.kind === 'name') && token.text === text;
  }

  #accept(text: string): boolean {
    if (!this.#at(text)) return false;
    this.#index++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#accept(text)) this.#fail(`"${text}"`);
  }

  #fail(expected: string): never {
    const token = this.#peek();
    const found = token.text === '' ? `the end of the ${token.kind === 'end' ? 'code' : 'line'}` : `"${token.text}"`;
    throw new CodeError(token.offset, `expected ${expected}, found ${found}`);
  }

  /** One line: simple statements between semicolons, or an `if`. */
  #statementLine(into: Statement[]): void {
    const kind = this.#peek().kind;
    if (kind === 'newline') {
      this.#next();
      return;
    }
    if (this.#at('if')) {
      into.push(this.#if());
      return;
    }
    for (;;) {
      if (this.#peek().kind !== 'newline') into.push(this.#simple());
      if (!this.#accept(';')) break;
    }
    if (this.#peek().kind !== 'newline') this.#fail('the end of the statement');
    this.#next();
  }

  #if(): Statement {
    const { offset } = this.#next();
    const branches = [{ test: this.#expression(), body: this.#block() }];
    let otherwise: Statement[] = [];
    for (;;) {
      if (this.#accept('elif')) {
        branches.push({ test: this.#expression(), body: this.#block() });
        continue;
      }
      if (this.#accept('else')) otherwise = this.#block();
      return { kind: 'if', branches, otherwise, offset };
    }
  }

  #block(): Statement[] {
    this.#expect(':');
    const body: Statement[] = [];
    if (this.#peek().kind !== 'newline') {
      this.#statementLine(body);
      return body;
    }
    this.#next();
    if (this.#peek().kind !== 'indent') this.#fail('an indented block');
    this.#next();
    if (++this.#depth > MAX_DEPTH) throw new CodeError(this.#peek().offset, 'this code is nested too deeply');
    while (this.#peek().kind !== 'dedent' && this.#peek().kind !== 'end') this.#statementLine(body);
    if (this.#peek().kind === 'dedent') this.#next();
    this.#depth--;
    return body;
  }

  #simple(): Statement {
    const token = this.#peek();
    const { offset } = token;
    if (token.kind === 'name') {
      if (FOREIGN.includes(token.text))
        throw new UnsupportedError(`Python's "${token.text}" is not supported in code snippets`);
      if (this.#accept('pass')) return { kind: 'pass', offset };
      if (this.#accept('assert')) return this.#assert(offset);
      if (this.#accept('print')) return this.#print(offset);
      const assigned = this.#assignment(offset);
      if (assigned) return assigned;
    }
    return { kind: 'expression', value: this.#expressionList(), offset };
  }

  #assert(offset: number): Statement {
    const test = this.#expression();
    const message = this.#accept(',') ? this.#expression() : undefined;
    const end = this.#tokens[this.#index - 1]!.end;
    return { kind: 'assert', test, message, source: this.#source.slice(offset, end).replace(/\s+/g, ' '), offset };
  }

  /** Python 3's function and Python 2's statement. */
  #print(offset: number): Statement {
    const kind = this.#peek().kind;
    if (kind === 'newline' || this.#at(';')) return { kind: 'print', values: [], offset };
    const value = this.#expressionList();
    return { kind: 'print', values: value.kind === 'tuple' ? value.items : [value], offset };
  }

  #assignment(offset: number): Statement | undefined {
    let end = this.#index;
    const names: string[] = [];
    for (;;) {
      const name = this.#tokens[end];
      if (name?.kind !== 'name') return undefined;
      names.push(name.text);
      const next = this.#tokens[end + 1];
      if (next?.kind !== 'operator') return undefined;
      if (ASSIGNMENTS.includes(next.text)) break;
      if (next.text !== ',') return undefined;
      end += 2;
    }
    const operator = this.#tokens[end + 1]!.text;
    this.#index = end + 2;
    return { kind: 'assign', names, operator, value: this.#expressionList(), offset };
  }

  #expressionList(): Expr {
    const first = this.#expression();
    if (!this.#at(',')) return first;
    const items = [first];
    while (this.#accept(',')) {
      const { kind } = this.#peek();
      if (kind === 'newline' || this.#at(')') || this.#at(']') || this.#at(';')) break;
      items.push(this.#expression());
    }
    return { kind: 'tuple', items };
  }

  #expression(): Expr {
    if (++this.#depth > MAX_DEPTH) throw new CodeError(this.#peek().offset, 'this code is nested too deeply');
    const value = this.#or();
    if (this.#accept('if')) {
      const test = this.#or();
      this.#expect('else');
      const otherwise = this.#expression();
      this.#depth--;
      return { kind: 'conditional', test, whenTrue: value, whenFalse: otherwise };
    }
    this.#depth--;
    return value;
  }

  #or(): Expr {
    let left = this.#and();
    while (this.#accept('or')) left = { kind: 'logical', operator: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expr {
    let left = this.#not();
    while (this.#accept('and')) left = { kind: 'logical', operator: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expr {
    const { offset } = this.#peek();
    if (!this.#accept('not')) return this.#comparison();
    if (++this.#depth > MAX_DEPTH) throw new CodeError(offset, 'this code is nested too deeply');
    const operand = this.#not();
    this.#depth--;
    return { kind: 'unary', operator: 'not', operand, offset };
  }

  #comparison(): Expr {
    const { offset } = this.#peek();
    const first = this.#binary(0);
    const rest: { operator: string; operand: Expr }[] = [];
    for (let operator = this.#comparator(); operator; operator = this.#comparator()) {
      rest.push({ operator, operand: this.#binary(0) });
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest, offset };
  }

  #comparator(): string | undefined {
    const token = this.#peek();
    if (token.kind === 'operator' && COMPARISONS.includes(token.text)) return this.#next().text;
    if (this.#accept('in')) return 'in';
    if (this.#at('not') && this.#tokens[this.#index + 1]?.text === 'in') {
      this.#index += 2;
      return 'not in';
    }
    if (this.#accept('is')) return this.#accept('not') ? '!=' : '==';
    return undefined;
  }

  #binary(level: number): Expr {
    const operators = LEVELS[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    for (;;) {
      const token = this.#peek();
      if (token.kind !== 'operator' || !operators.includes(token.text)) return left;
      this.#next();
      left = { kind: 'binary', operator: token.text, left, right: this.#binary(level + 1), offset: token.offset };
    }
  }

  #unary(): Expr {
    const token = this.#peek();
    if (token.kind === 'operator' && (token.text === '-' || token.text === '+' || token.text === '~')) {
      this.#next();
      if (++this.#depth > MAX_DEPTH) throw new CodeError(token.offset, 'this code is nested too deeply');
      const operand = this.#unary();
      this.#depth--;
      return { kind: 'unary', operator: token.text, operand, offset: token.offset };
    }
    const base = this.#atom();
    const power = this.#peek();
    if (!this.#accept('**')) return base;
    return { kind: 'binary', operator: '**', left: base, right: this.#unary(), offset: power.offset };
  }

  #atom(): Expr {
    const token = this.#next();
    if (token.kind === 'number') return { kind: 'constant', value: token.value };
    if (token.kind === 'string') {
      let text = token.text;
      while (this.#peek().kind === 'string') text += this.#next().text;
      return { kind: 'constant', value: text };
    }
    if (token.kind === 'name') return this.#name(token);
    if (token.text === '(' || token.text === '[') return this.#brackets(token.text === '(' ? ')' : ']');
    this.#index -= token.kind === 'end' ? 0 : 1;
    return this.#fail('an expression');
  }

  #brackets(close: string): Expr {
    if (this.#accept(close)) return { kind: 'tuple', items: [] };
    const value = this.#expressionList();
    this.#expect(close);
    if (close === ']' && value.kind !== 'tuple') return { kind: 'tuple', items: [value] };
    return value;
  }

  #name(token: CodeToken): Expr {
    const { text, offset } = token;
    if (FOREIGN.includes(text)) throw new UnsupportedError(`Python's "${text}" is not supported in code snippets`);
    const constant = CONSTANTS.get(text);
    if (constant !== undefined) return { kind: 'constant', value: constant };
    if (this.#at('.') || this.#at('['))
      throw new UnsupportedError(`"${text}${this.#peek().text}" is not supported in code snippets`);
    if (!this.#accept('(')) return { kind: 'name', name: text, offset };
    const args: Expr[] = [];
    while (!this.#accept(')')) {
      args.push(this.#expression());
      if (!this.#at(')')) this.#expect(',');
    }
    return { kind: 'call', name: text, args, offset };
  }
}
