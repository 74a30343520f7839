import { CodeError } from './ast.ts';

export interface CodeToken {
  readonly kind: 'number' | 'string' | 'name' | 'operator' | 'newline' | 'indent' | 'dedent' | 'end';
  readonly text: string;
  readonly value: number;
  readonly offset: number;
  readonly end: number;
}

const NUMBER = /0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const OPERATOR = /\*\*=?|\/\/=?|<<=?|>>=?|[<>=!]=|[+\-*/%&|^]=|[+\-*/%&|^~<>()[\]{},:;=.@]/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\n': '' };

/** Python's tokens with its indentation; line ends inside brackets and after a backslash do not count. */
export function tokenize(source: string): CodeToken[] {
  return new Tokenizer(source).run();
}

class Tokenizer {
  readonly #source: string;
  readonly #tokens: CodeToken[] = [];
  readonly #indents: number[] = [];
  #offset = 0;
  #depth = 0;
  #lineStart = true;

  constructor(source: string) {
    this.#source = source;
  }

  run(): CodeToken[] {
    const source = this.#source;
    while (this.#offset < source.length) {
      if (this.#lineStart && this.#depth === 0) this.#indentation();
      const c = source[this.#offset];
      if (c === undefined) break;
      if (c === '\n') this.#newline();
      else if (c === ' ' || c === '\t' || c === '\r' || c === '\f') this.#offset++;
      else if (c === '\\' && /^\\\r?\n/.test(source.slice(this.#offset, this.#offset + 3)))
        this.#offset = source.indexOf('\n', this.#offset) + 1;
      else if (c === '#') this.#comment();
      else this.#token(c);
    }
    this.#push('newline', '', 0, this.#offset);
    for (let i = 1; i < this.#indents.length; i++) this.#push('dedent', '', 0, this.#offset);
    this.#push('end', '', 0, this.#offset);
    return this.#tokens;
  }

  #push(kind: CodeToken['kind'], text: string, value: number, end: number): void {
    this.#tokens.push({ kind, text, value, offset: this.#offset, end });
    this.#offset = end;
  }

  /** White space at the start of a line of code; blank lines and comments do not count. */
  #indentation(): void {
    const match = /^[ \t\r\f]*/.exec(this.#source.slice(this.#offset));
    const width = match?.[0].replace(/\t/g, '        ').length ?? 0;
    this.#offset += match?.[0].length ?? 0;
    const next = this.#source[this.#offset];
    this.#lineStart = false;
    if (next === undefined || next === '\n' || next === '#') return;
    const top = this.#indents.at(-1);
    // A snippet may stand indented as a whole, and its first line often follows `%{` directly.
    if (top === undefined) {
      this.#indents.push(width);
    } else if (width > top) {
      if (this.#tokens.at(-2)?.text !== ':') {
        if (this.#indents.length === 1) this.#indents[0] = width;
        else throw new CodeError(this.#offset, 'unexpected indentation');
        return;
      }
      this.#indents.push(width);
      this.#push('indent', '', 0, this.#offset);
    } else if (width < top) {
      while (this.#indents.length > 1 && width < this.#indents.at(-1)!) {
        this.#indents.pop();
        this.#push('dedent', '', 0, this.#offset);
      }
      if (this.#indents.length === 1) this.#indents[0] = width;
      else if (width !== this.#indents.at(-1))
        throw new CodeError(this.#offset, 'this line matches no outer indentation');
    }
  }

  #newline(): void {
    this.#lineStart = true;
    const last = this.#tokens.at(-1);
    if (this.#depth === 0 && last && last.kind !== 'newline') this.#push('newline', '', 0, this.#offset);
    this.#offset++;
  }

  #comment(): void {
    const end = this.#source.indexOf('\n', this.#offset);
    this.#offset = end < 0 ? this.#source.length : end;
  }

  #token(c: string): void {
    if (c === '"' || c === "'") {
      this.#string(c);
      return;
    }
    const number = this.#match(NUMBER);
    const name = number === undefined ? this.#match(NAME) : undefined;
    const text = number ?? name ?? this.#match(OPERATOR);
    if (text === undefined) throw new CodeError(this.#offset, `unexpected character ${JSON.stringify(c)}`);
    if (number !== undefined) {
      this.#push('number', number, Number(number), this.#offset + number.length);
    } else if (name !== undefined) {
      this.#push('name', name, 0, this.#offset + name.length);
    } else {
      if ('([{'.includes(text)) this.#depth++;
      if (')]}'.includes(text) && this.#depth > 0) this.#depth--;
      this.#push('operator', text, 0, this.#offset + text.length);
    }
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    return pattern.exec(this.#source)?.[0];
  }

  #string(quote: string): void {
    const source = this.#source;
    const triple = source.startsWith(quote.repeat(3), this.#offset) ? quote.repeat(3) : undefined;
    const close = triple ?? quote;
    let text = '';
    for (let i = this.#offset + close.length; i < source.length; i++) {
      if (source.startsWith(close, i)) {
        this.#push('string', text, 0, i + close.length);
        return;
      }
      const c = source[i]!;
      if (c === '\n' && !triple) break;
      if (c !== '\\') {
        text += c;
        continue;
      }
      const escaped = source[++i] ?? '';
      text += ESCAPES[escaped] ?? (`'"\\`.includes(escaped) ? escaped : `\\${escaped}`);
    }
    throw new CodeError(this.#offset, 'this string is not closed');
  }
}
