import type { Expression, Field } from './ast.ts';
import { ParserBase } from './parser-base.ts';

const MAX_DEPTH = 32;

/** The arguments and results of syscalls. */
export class ExpressionParser extends ParserBase {
  #depth = 0;

  /** `( expression, ... )`, the opening parenthesis read already. */
  protected argumentsUntil(close: string): Expression[] {
    const args: Expression[] = [];
    if (this.accept(close)) return args;
    for (;;) {
      args.push(this.expression());
      if (this.accept(close)) return args;
      if (!this.accept(',')) this.fail(this.lexer.peek(), `"," or "${close}"`);
    }
  }

  protected expression(): Expression {
    const start = this.lexer.peek().start;
    if (++this.#depth > MAX_DEPTH) throw this.lexer.error(start, 'this expression is nested too deeply');
    const first = this.#term();
    if (!this.at('|')) {
      this.#depth--;
      return first;
    }
    const terms = [first];
    while (this.accept('|')) terms.push(this.#term());
    this.#depth--;
    return { kind: 'or', terms };
  }

  #term(): Expression {
    const token = this.lexer.next();
    switch (token.kind) {
      case 'integer':
        return { kind: 'integer', value: token.value };
      case 'string':
        return this.#string(token.text);
      case 'word':
        return this.#word(token.text, token.start);
      case 'punctuation':
        switch (token.text) {
          case '...':
            return { kind: 'ellipsis' };
          case '-':
            return { kind: 'integer', value: -this.#unsigned() };
          case '[':
            return { kind: 'list', items: this.argumentsUntil(']') };
          case '{':
            return this.#struct();
          case '(': {
            const inner = this.expression();
            this.expect(')');
            return inner;
          }
        }
    }
    return this.fail(token, 'an argument');
  }

  #unsigned(): number {
    const token = this.lexer.next();
    if (token.kind !== 'integer') this.fail(token, 'an integer after "-"');
    return token.value;
  }

  #string(first: string): Expression {
    let value = first;
    while (this.lexer.peek().kind === 'string') value += this.lexer.next().text;
    return { kind: 'string', value, open: this.accept('...') };
  }

  #word(name: string, start: number): Expression {
    if (this.accept('(')) return { kind: 'call', name, args: this.argumentsUntil(')') };
    if (this.accept('=')) return { kind: 'assign', name, value: this.expression() };
    return { kind: 'word', name, position: this.lexer.position(start) };
  }

  /** `{ name = value, name(size) = value, value, ... }`, the brace read already. */
  #struct(): Expression {
    const fields: Field[] = [];
    if (this.accept('}')) return { kind: 'struct', fields };
    for (;;) {
      fields.push(this.#field());
      if (this.accept('}')) return { kind: 'struct', fields };
      if (!this.accept(',')) this.fail(this.lexer.peek(), '"," or "}"');
    }
  }

  #field(): Field {
    const value = this.expression();
    if (value.kind === 'assign') return { name: value.name, size: undefined, value: value.value };
    if (value.kind === 'call' && this.accept('=')) {
      return { name: value.name, size: value.args[0], value: this.expression() };
    }
    return { name: undefined, size: undefined, value };
  }
}
