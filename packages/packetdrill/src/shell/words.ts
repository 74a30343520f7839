import { UnsupportedError } from '../errors.ts';

/** One simple command: its words, and the file that its output goes to. */
export interface SimpleCommand {
  readonly words: readonly string[];
  readonly output: string | undefined;
  /** `||`: runs only if the one before failed, which none of those we know does. */
  readonly onlyAfterFailure: boolean;
}

/**
 * Splits a back-quoted command into simple commands: quotes, backslashes, comments, `;`, `&&`, `||`, pipes and
 * redirections. It is no shell: whatever needs one is unsupported.
 * @throws UnsupportedError for substitutions, background jobs, subshells and open quotes.
 */
export function splitCommands(text: string): SimpleCommand[] {
  return new Splitter(text).run();
}

class Splitter {
  readonly #text: string;
  readonly #commands: SimpleCommand[] = [];
  #words: string[] = [];
  #word: string | undefined;
  #redirect = false;
  #output: string | undefined;
  #onlyAfterFailure = false;

  constructor(text: string) {
    this.#text = text.replace(/\\\r?\n/g, ' ');
  }

  run(): SimpleCommand[] {
    const text = this.#text;
    for (let i = 0; i < text.length; i++) {
      const c = text[i]!;
      const two = text.slice(i, i + 2);
      if (c === "'" || c === '"') i = this.#quoted(c, i);
      else if (c === '\\') this.#add(text[++i] ?? '');
      else if (c === '#' && this.#word === undefined) i = endOfLine(text, i);
      else if (c === '\n' || c === ';') this.#endCommand(false);
      else if (two === '&&') {
        i++;
        this.#endCommand(false);
      } else if (two === '||') {
        i++;
        this.#endCommand(true);
      } else if (two === '>&' || two === '<&' || two === '&>') i = this.#descriptor(two, i);
      else if (c === '>') i = this.#redirectOutput(i);
      else if (c === '|') this.#endCommand(false);
      else if (c === '&' || c === '(' || c === ')' || c === '<')
        throw new UnsupportedError(`shell syntax "${c}" in \`${brief(this.#text)}\``);
      else if (/\s/.test(c)) this.#endWord();
      else this.#add(c);
    }
    this.#endCommand(false);
    return this.#commands;
  }

  #add(c: string): void {
    this.#word = (this.#word ?? '') + c;
  }

  #quoted(quote: string, start: number): number {
    this.#word ??= '';
    for (let i = start + 1; i < this.#text.length; i++) {
      const c = this.#text[i]!;
      if (c === quote) return i;
      if (c === '\\' && quote === '"') i++;
      this.#add(this.#text[i] ?? '');
    }
    throw new UnsupportedError(`an open quote in \`${brief(this.#text)}\``);
  }

  /** `> file`, `>> file`, `2> file` */
  #redirectOutput(at: number): number {
    if (this.#word !== undefined && /^\d$/.test(this.#word)) this.#word = undefined;
    this.#endWord();
    this.#redirect = true;
    return this.#text[at + 1] === '>' ? at + 1 : at;
  }

  /** `2>&1`, `&> file` */
  #descriptor(form: string, at: number): number {
    if (form === '&>') {
      this.#endWord();
      this.#redirect = true;
      return at + 1;
    }
    if (this.#word !== undefined && /^\d$/.test(this.#word)) this.#word = undefined;
    this.#endWord();
    return at + 2;
  }

  #endWord(): void {
    const word = this.#word;
    if (word === undefined) return;
    this.#word = undefined;
    if (this.#redirect) {
      this.#output = word;
      this.#redirect = false;
    } else {
      this.#words.push(word);
    }
  }

  #endCommand(nextOnlyAfterFailure: boolean): void {
    this.#endWord();
    if (this.#words.length > 0) {
      this.#commands.push({ words: this.#words, output: this.#output, onlyAfterFailure: this.#onlyAfterFailure });
    }
    this.#words = [];
    this.#output = undefined;
    this.#redirect = false;
    this.#onlyAfterFailure = nextOnlyAfterFailure;
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end - 1;
}

export function brief(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
}
