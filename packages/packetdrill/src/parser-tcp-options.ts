import type { TcpOption } from './ast.ts';
import { UnsupportedError } from './errors.ts';
import type { Lexer, Token } from './lexer.ts';
import { ParserBase } from './parser-base.ts';

const HEX = /(?:0[xX])?[0-9a-fA-F]+/y;
const DEFINED_COOKIE = /[A-Za-z_][A-Za-z0-9_]*/y;
/** Words of options that this stack does not speak: the script is skipped, its syntax is fine. */
const FOREIGN: readonly string[] = [
  'mp_capable',
  'mp_join_syn',
  'mp_join_syn_ack',
  'mp_join_ack',
  'dss',
  'dsn4',
  'dsn8',
  'add_address',
  'add_addr',
  'remove_address',
  'mp_prio',
  'mp_fail',
  'mp_fastclose',
  'mp_reset',
  'mp_tcprst',
  'TARR',
  'EXP',
];

/** Longest cookie that fits into an option (RFC 7413 section 4.1.1: 16 bytes; more is syntax all the same). */
const MAX_COOKIE_BYTES = 38;

/** `< option, option ... >`, or `<...>`. */
export function parseTcpOptions(lexer: Lexer): TcpOption[] | 'any' {
  return new OptionParser(lexer).list();
}

class OptionParser extends ParserBase {
  list(): TcpOption[] | 'any' {
    this.expect('<');
    if (this.accept('...')) {
      this.expect('>');
      return 'any';
    }
    const options: TcpOption[] = [];
    if (this.accept('>')) return options;
    for (;;) {
      options.push(this.#option());
      if (this.accept('>')) return options;
      if (!this.accept(',')) this.fail(this.lexer.peek(), '"," or ">" after a TCP option');
    }
  }

  #option(): TcpOption {
    const token = this.lexer.next();
    if (token.kind !== 'word') this.fail(token, 'a TCP option');
    switch (token.text) {
      case 'mss':
        return { kind: 'mss', value: this.integerIn('an MSS', 0, 0xffff) };
      case 'wscale':
        return { kind: 'wscale', value: this.integerIn('a window scale', 0, 255) };
      case 'sackOK':
        return { kind: 'sackOK' };
      case 'sack':
        return { kind: 'sack', blocks: this.#blocks() };
      case 'TS':
        return this.#timestamp();
      case 'nop':
        return { kind: 'nop' };
      case 'eol':
        return { kind: 'eol' };
      case 'FO':
      case 'FOEXP':
        return { kind: token.text, cookie: this.#hex(token, MAX_COOKIE_BYTES, true) };
      case 'md5':
        return { kind: 'md5', digest: this.#hex(token, 16, false) };
      case 'ECN':
      case 'AccECN':
        return { kind: 'ECN', counters: this.#counters() };
    }
    if (FOREIGN.includes(token.text)) throw new UnsupportedError(`the TCP option ${token.text} is not supported`);
    return this.fail(token, 'a TCP option');
  }

  #blocks(): { left: number; right: number }[] {
    const blocks: { left: number; right: number }[] = [];
    while (this.lexer.peek().kind === 'integer') {
      const left = this.integerIn('a sequence number', 0, 0xffffffff);
      this.expect(':');
      blocks.push({ left, right: this.integerIn('a sequence number', 0, 0xffffffff) });
    }
    return blocks;
  }

  #timestamp(): TcpOption {
    if (!this.acceptWord('val')) this.fail(this.lexer.peek(), '"val" after "TS"');
    const val = this.integerIn('a timestamp', 0, 0xffffffff);
    if (!this.acceptWord('ecr')) this.fail(this.lexer.peek(), '"ecr" after the timestamp');
    return { kind: 'TS', val, ecr: this.integerIn('a timestamp', 0, 0xffffffff) };
  }

  #counters(): { name: 'e0b' | 'e1b' | 'ceb'; value: number }[] {
    const counters: { name: 'e0b' | 'e1b' | 'ceb'; value: number }[] = [];
    while (this.atWord('e0b', 'e1b', 'ceb')) {
      const name = this.lexer.next().text as 'e0b' | 'e1b' | 'ceb';
      counters.push({ name, value: this.integerIn('a counter of 24 bits', 0, 0xffffff) });
    }
    return counters;
  }

  /** Hexadecimal digits as they stand (`0abc`, `1e5`: no number, no word), or a word that `-D` defines as such. */
  #hex(option: Token, maxBytes: number, optional: boolean): number[] {
    const start = this.lexer.skipSpace();
    let digits: string | undefined;
    const word = this.lexer.raw(DEFINED_COOKIE);
    if (word !== undefined && this.lexer.defined(word) !== undefined)
      digits = this.lexer.defined(word)!.replace(/^"|"$|^0[xX]/g, '');
    else if (word !== undefined && !/^[0-9a-fA-F]+/.test(word))
      throw this.lexer.error(start, `expected hexadecimal digits after "${option.text}", found "${word}"`);
    else digits = (word ?? '') + (this.lexer.raw(HEX) ?? '');
    if (digits === '' && optional) return [];
    if (!/^(?:[0-9a-fA-F]{2})+$/.test(digits) || digits.length > 2 * maxBytes) {
      throw this.lexer.error(start, `expected hexadecimal bytes (at most ${maxBytes}) after "${option.text}"`);
    }
    return Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
  }
}
