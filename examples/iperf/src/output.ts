/** Where a run writes to. Tests have one of their own. */
export interface RunOutput {
  /** Whether a line may be overwritten by the next. */
  readonly isTerminal: boolean;
  lines(lines: readonly string[]): void;
  /** A line that the next output overwrites. */
  live(line: string): void;
  /** One line for people who look for errors. */
  error(line: string): void;
}

/** The command's own output. */
export class ProcessOutput implements RunOutput {
  readonly isTerminal = process.stdout.isTTY === true;
  #liveWidth = 0;

  lines(lines: readonly string[]): void {
    if (lines.length === 0) return;
    process.stdout.write(`${this.#eraser()}${lines.join('\n')}\n`);
  }

  live(line: string): void {
    process.stdout.write(`${this.#eraser()}${line}`);
    this.#liveWidth = line.length;
  }

  error(line: string): void {
    const eraser = this.#eraser();
    if (eraser !== '') process.stdout.write(eraser);
    process.stderr.write(`iperf: ${line}\n`);
  }

  #eraser(): string {
    const text = this.#liveWidth > 0 ? `\r${' '.repeat(this.#liveWidth)}\r` : '';
    this.#liveWidth = 0;
    return text;
  }
}
