import { ParseError, type Position } from './errors.ts';

export type TokenKind = 'end' | 'option' | 'word' | 'integer' | 'float' | 'string' | 'command' | 'code' | 'punctuation';

export interface Token {
  readonly kind: TokenKind;
  /** The word, the punctuation, the string's content, the command's or code's text, or the digits as written. */
  readonly text: string;
  /** Of an integer or float. */
  readonly value: number;
  /** Offsets into the source. */
  readonly start: number;
  readonly end: number;
}

/** Values of `-D NAME=VALUE` and `--define=NAME=VALUE`: an int, a word, a "string" or a `command`. */
export type Defines = ReadonlyMap<string, string>;

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|\d+\.\d+|\.\d+|\d+/y;
const OPTION = /--[A-Za-z_][A-Za-z0-9_]*(?:=(?:"[^"\n]*"|[^\s"]*))?/y;
const SPACE = /\s+/y;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '0': '\0',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

/**
 * Scans a script on demand. Words that mean something only in one place (flags, hex cookies, notes) are read by
 * `raw`, so that a parser which knows the place sees the characters as they stand.
 */
export class Lexer {
  readonly file: string;
  readonly source: string;
  readonly #defines: Defines;
  readonly #lineStarts: number[] = [0];
  #offset = 0;
  #peeked: Token | undefined;

  constructor(file: string, source: string, defines: Defines = new Map()) {
    this.file = file;
    this.source = source;
    this.#defines = defines;
    for (let i = source.indexOf('\n'); i >= 0; i = source.indexOf('\n', i + 1)) this.#lineStarts.push(i + 1);
    if (source.startsWith('\uFEFF')) this.#offset = 1;
    if (source.startsWith('#!', this.#offset)) this.#skipLine();
  }

  /** The offset at which the next token or raw read begins (white space in front of it included). */
  get offset(): number {
    return this.#peeked ? this.#peeked.start : this.#offset;
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lineStarts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - this.#lineStarts[low]! + 1 };
  }

  error(offset: number, detail: string): ParseError {
    return new ParseError(this.file, this.position(offset), detail);
  }

  peek(): Token {
    this.#peeked ??= this.#scan();
    return this.#peeked;
  }

  next(): Token {
    const token = this.peek();
    this.#peeked = undefined;
    this.#offset = token.end;
    return token;
  }

  /** Skips white space and comments. @returns the offset of what follows. */
  skipSpace(): number {
    if (this.#peeked) {
      this.#offset = this.#peeked.start;
      this.#peeked = undefined;
    }
    this.#skip();
    return this.#offset;
  }

  /** Reads what a sticky pattern matches after white space, as it stands. @returns undefined where it does not match. */
  raw(pattern: RegExp): string | undefined {
    const start = this.skipSpace();
    pattern.lastIndex = start;
    const match = pattern.exec(this.source);
    if (!match) return undefined;
    this.#offset = start + match[0].length;
    return match[0];
  }

  /** What `-D` gave for a word. */
  defined(word: string): string | undefined {
    return this.#defines.get(word);
  }

  /** Reads the rest of a `( ... )` note whose parenthesis has been read; parentheses nest, a line end ends in error. */
  note(openedAt: number): string {
    this.skipSpace();
    const start = this.#offset;
    let depth = 1;
    for (let i = start; i < this.source.length; i++) {
      const c = this.source[i];
      if (c === '\n') break;
      if (c === '(') depth++;
      if (c === ')' && --depth === 0) {
        this.#offset = i + 1;
        return this.source.slice(start, i).trim();
      }
    }
    throw this.error(openedAt, 'this note is not closed on its line: expected ")"');
  }

  #skipLine(): void {
    const end = this.source.indexOf('\n', this.#offset);
    this.#offset = end < 0 ? this.source.length : end;
  }

  #skip(): void {
    const { source } = this;
    for (;;) {
      SPACE.lastIndex = this.#offset;
      const space = SPACE.exec(source);
      if (space) this.#offset += space[0].length;
      if (source.startsWith('//', this.#offset)) {
        this.#skipLine();
      } else if (source.startsWith('/*', this.#offset)) {
        const end = source.indexOf('*/', this.#offset + 2);
        if (end < 0) throw this.error(this.#offset, 'this comment is not closed: expected "*/"');
        this.#offset = end + 2;
      } else if (!space) {
        return;
      }
    }
  }

  #scan(): Token {
    this.#skip();
    const { source } = this;
    const start = this.#offset;
    if (start >= source.length) return { kind: 'end', text: '', value: 0, start, end: start };
    const c = source[start]!;
    if (c === '"') return this.#scanString(start);
    if (c === '`') return this.#scanDelimited(start, 'command', '`', '`');
    if (source.startsWith('%{', start)) return this.#scanDelimited(start, 'code', '%{', '}%');
    if (source.startsWith('...', start)) return { kind: 'punctuation', text: '...', value: 0, start, end: start + 3 };
    OPTION.lastIndex = start;
    const option = OPTION.exec(source);
    if (option) return { kind: 'option', text: option[0], value: 0, start, end: start + option[0].length };
    const number = this.#scanNumber(start);
    if (number) return number;
    WORD.lastIndex = start;
    const word = WORD.exec(source);
    if (word) return this.#word(word[0], start);
    if ('()[]{}<>,:=|+-*~./%;&!'.includes(c)) return { kind: 'punctuation', text: c, value: 0, start, end: start + 1 };
    throw this.error(start, `unexpected character ${JSON.stringify(String.fromCodePoint(source.codePointAt(start)!))}`);
  }

  #scanNumber(start: number): Token | undefined {
    NUMBER.lastIndex = start;
    const match = NUMBER.exec(this.source);
    if (!match) return undefined;
    const text = match[0];
    const end = start + text.length;
    const value = Number(text);
    const kind = text.includes('.') ? 'float' : 'integer';
    const next = this.source[end];
    if (kind === 'integer' && next !== undefined && /[A-Za-z_]/.test(next)) {
      throw this.error(start, `malformed number "${text}${next}"`);
    }
    if (!Number.isFinite(value) || (kind === 'integer' && value >= 2 ** 64)) {
      throw this.error(start, `the number ${text.slice(0, 40)} is too large`);
    }
    return { kind, text, value, start, end };
  }

  #word(text: string, start: number): Token {
    const end = start + text.length;
    const value = this.#defines.get(text);
    if (value === undefined) return { kind: 'word', text, value: 0, start, end };
    const replaced = new Lexer(`-D ${text}`, value).#scan();
    if (replaced.kind === 'end') throw this.error(start, `the definition of ${text} is empty`);
    return { kind: replaced.kind, text: replaced.text, value: replaced.value, start, end };
  }

  #scanString(start: number): Token {
    const { source } = this;
    let text = '';
    for (let i = start + 1; i < source.length; i++) {
      const c = source[i]!;
      if (c === '\n') break;
      if (c === '"') return { kind: 'string', text, value: 0, start, end: i + 1 };
      if (c !== '\\') {
        text += c;
        continue;
      }
      const escaped = source[++i];
      if (escaped === undefined || escaped === '\n') break;
      const hex = /^x([0-9a-fA-F]{1,2})/.exec(source.slice(i, i + 3));
      if (hex) {
        text += String.fromCharCode(Number.parseInt(hex[1]!, 16));
        i += hex[0].length - 1;
      } else {
        text += ESCAPES[escaped] ?? escaped;
      }
    }
    throw this.error(start, "this string is not closed on its line: expected '\"'");
  }

  #scanDelimited(start: number, kind: TokenKind, open: string, close: string): Token {
    const from = start + open.length;
    const end = this.source.indexOf(close, from);
    if (end < 0) throw this.error(start, `this ${kind} is not closed: expected "${close}"`);
    return { kind, text: this.source.slice(from, end), value: 0, start, end: end + close.length };
  }
}
