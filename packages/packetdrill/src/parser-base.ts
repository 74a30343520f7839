import type { Position } from './errors.ts';
import type { Lexer, Token } from './lexer.ts';

/** How a token is named in an error. */
export function describe(token: Token): string {
  switch (token.kind) {
    case 'end':
      return 'the end of the script';
    case 'string':
      return 'a string';
    case 'command':
      return 'a back-quoted command';
    case 'code':
      return 'a code snippet';
    default:
      return `"${token.text}"`;
  }
}

/** What the parsers of syscalls and packets have in common: expecting tokens and saying what was missing. */
export class ParserBase {
  protected readonly lexer: Lexer;

  constructor(lexer: Lexer) {
    this.lexer = lexer;
  }

  protected fail(token: Token, expected: string): never {
    throw this.lexer.error(token.start, `expected ${expected}, found ${describe(token)}`);
  }

  protected at(text: string): boolean {
    const token = this.lexer.peek();
    return token.kind === 'punctuation' && token.text === text;
  }

  protected accept(text: string): boolean {
    if (!this.at(text)) return false;
    this.lexer.next();
    return true;
  }

  protected expect(text: string): Token {
    const token = this.lexer.next();
    if (token.kind !== 'punctuation' || token.text !== text) this.fail(token, `"${text}"`);
    return token;
  }

  protected atWord(...words: readonly string[]): boolean {
    const token = this.lexer.peek();
    return token.kind === 'word' && words.includes(token.text);
  }

  protected acceptWord(word: string): boolean {
    if (!this.atWord(word)) return false;
    this.lexer.next();
    return true;
  }

  /** An integer, a minus in front of it allowed. */
  protected integer(what: string): number {
    const negative = this.accept('-');
    const token = this.lexer.next();
    if (token.kind !== 'integer') this.fail(token, what);
    return negative ? -token.value : token.value;
  }

  /** An integer in a range. */
  protected integerIn(what: string, low: number, high: number): number {
    const token = this.lexer.peek();
    const value = this.integer(what);
    if (value < low || value > high) {
      throw this.lexer.error(token.start, `${what} must be in ${low}..${high}, found ${value}`);
    }
    return value;
  }

  protected positionOf(token: Token): Position {
    return this.lexer.position(token.start);
  }
}
