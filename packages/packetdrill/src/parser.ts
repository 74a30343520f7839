import type {
  Action,
  CommandAction,
  EventTime,
  Expression,
  Script,
  ScriptEvent,
  ScriptOption,
  SyscallAction,
} from './ast.ts';
import { ParseError, UnsupportedError } from './errors.ts';
import { type Defines, Lexer, type Token } from './lexer.ts';
import { PacketParser } from './parser-packet.ts';

export interface ParseOptions {
  /** For error messages. */
  readonly file?: string;
  /** `-D NAME=VALUE` of the command line; `--define=NAME=VALUE` in the script adds to them. */
  readonly defines?: Defines;
}

/**
 * Parses a packetdrill script.
 * @throws ParseError with file, line and column when the text is no script, or contradicts itself.
 * @throws UnsupportedError when the script is well-formed as far as read but asks for what this runner does not know.
 */
export function parseScript(source: string, options: ParseOptions = {}): Script {
  const file = options.file ?? 'script';
  const defines = new Map(options.defines);
  return new ScriptParser(new Lexer(file, source, defines), defines).script();
}

class ScriptParser extends PacketParser {
  readonly #defines: Map<string, string>;
  /** Latest absolute time so far: absolute times never decrease. */
  #latestUs = 0;

  constructor(lexer: Lexer, defines: Map<string, string>) {
    super(lexer);
    this.#defines = defines;
  }

  script(): Script {
    const options = this.#options();
    const init = this.lexer.peek().kind === 'command' ? this.#command() : undefined;
    const events: ScriptEvent[] = [];
    let cleanup: CommandAction | undefined;
    while (this.lexer.peek().kind !== 'end') {
      if (this.lexer.peek().kind === 'command') {
        cleanup = this.#command();
        if (this.lexer.peek().kind !== 'end')
          this.fail(this.lexer.peek(), 'the end of the script after the last command');
        break;
      }
      events.push(this.#event(events.length === 0));
    }
    if (events.length === 0) this.fail(this.lexer.peek(), 'an event');
    return { file: this.lexer.file, options, init, events, cleanup };
  }

  #options(): ScriptOption[] {
    const options: ScriptOption[] = [];
    while (this.lexer.peek().kind === 'option') {
      const token = this.lexer.next();
      const equals = token.text.indexOf('=');
      const name = token.text.slice(2, equals < 0 ? undefined : equals);
      const value = equals < 0 ? undefined : token.text.slice(equals + 1).replace(/^"(.*)"$/, '$1');
      options.push({ position: this.positionOf(token), name, value });
      if (name === 'define') this.#define(token, value);
    }
    return options;
  }

  #define(token: Token, value: string | undefined): void {
    const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.+)$/s.exec(value ?? '');
    if (!match) throw this.lexer.error(token.start, 'expected --define=NAME=VALUE');
    this.#defines.set(match[1]!, match[2]!);
  }

  #command(): CommandAction {
    const token = this.lexer.next();
    return { kind: 'command', text: token.text, position: this.positionOf(token) };
  }

  #event(first: boolean): ScriptEvent {
    const start = this.lexer.peek().start;
    const time = this.#time(first);
    let endUs: number | undefined;
    const dots = this.lexer.peek();
    if (this.accept('...')) endUs = this.#seconds();
    const actionStart = this.lexer.peek().start;
    const action = this.#action(endUs);
    if (endUs !== undefined) this.#checkBlocking(dots, time, endUs, action);
    const isOutbound = action.kind === 'packet' && action.direction === 'outbound';
    if (time.kind !== 'at' && !isOutbound) {
      throw this.lexer.error(start, 'a time of "*" or "a~b" is for outbound packets only');
    }
    const text = this.lexer.source.slice(actionStart, this.lexer.offset).replace(/\s+/g, ' ').trim();
    return { position: this.lexer.position(start), time, action, text };
  }

  #checkBlocking(dots: Token, time: EventTime, endUs: number, action: Action): void {
    if (action.kind !== 'syscall')
      throw this.lexer.error(dots.start, 'only a system call can block: "..." is out of place');
    if (time.kind === 'at' && endUs < time.us) {
      throw this.lexer.error(dots.start, 'this system call returns before it starts');
    }
  }

  #time(first: boolean): EventTime {
    const token = this.lexer.peek();
    if (this.accept('*')) {
      if (first) throw this.lexer.error(token.start, 'the first event must be at time 0');
      return { kind: 'any' };
    }
    const relative = this.accept('+');
    const us = this.#seconds();
    if (first && us !== 0) throw this.lexer.error(token.start, 'the first event must be at time 0');
    if (!relative && us < this.#latestUs) {
      throw this.lexer.error(token.start, `time goes back: ${us / 1e6} s after ${this.#latestUs / 1e6} s`);
    }
    if (!relative) this.#latestUs = us;
    const tilde = this.lexer.peek();
    if (!this.accept('~')) return { kind: 'at', relative, us };
    const endRelative = this.accept('+');
    if (endRelative !== relative) {
      throw this.lexer.error(tilde.start, 'both ends of a time range must be absolute, or both relative');
    }
    const endUs = this.#seconds();
    if (endUs < us) throw this.lexer.error(tilde.start, 'this time range ends before it begins');
    return { kind: 'range', relative, us, endUs };
  }

  #seconds(): number {
    const token = this.lexer.next();
    if (token.kind !== 'integer' && token.kind !== 'float') this.fail(token, 'a time in seconds');
    if (token.value > 1e9) throw this.lexer.error(token.start, `the time ${token.text} is too large`);
    return Math.round(token.value * 1e6);
  }

  #action(endUs: number | undefined): Action {
    const token = this.lexer.peek();
    if (this.at('<') || this.at('>')) return this.packet();
    if (token.kind === 'command') return this.#command();
    if (token.kind === 'code') {
      this.lexer.next();
      return { kind: 'code', text: token.text, position: this.lexer.position(token.start + 2) };
    }
    if (token.kind === 'word') return this.#syscall(endUs);
    return this.fail(token, 'a packet, a system call, a code snippet or a command');
  }

  #syscall(endUs: number | undefined): SyscallAction {
    const name = this.lexer.next().text;
    this.expect('(');
    const args = this.argumentsUntil(')');
    this.expect('=');
    const value = this.expression();
    const result: Expression | undefined = value.kind === 'ellipsis' ? undefined : value;
    if (result && result.kind !== 'integer' && result.kind !== 'word' && result.kind !== 'or') {
      this.fail(this.lexer.peek(), 'an integer as result');
    }
    const errno = this.lexer.peek().kind === 'word' ? this.lexer.next().text : undefined;
    let note: string | undefined;
    if (this.at('(')) {
      const open = this.lexer.next();
      note = this.lexer.note(open.start);
    }
    return { kind: 'syscall', name, args, endUs, result, errno, note };
  }
}

/** Whether an error belongs to a script rather than to this program. */
export function isScriptError(error: unknown): error is ParseError | UnsupportedError {
  return error instanceof ParseError || error instanceof UnsupportedError;
}
