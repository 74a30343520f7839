/** How one script went. */
export interface ScriptResult {
  readonly file: string;
  readonly status: 'ok' | 'FAIL' | 'skipped';
  /** Why it failed or was skipped. */
  readonly reason?: string;
  /** Line and column in the script; the column only for syntax errors. */
  readonly line?: number;
  readonly column?: number;
  /** What the script line expected, and what came. */
  readonly expected?: string;
  readonly actual?: string;
  /** Oddities that are no failures: TSecr, DF. */
  readonly warnings: readonly string[];
  /** Lines whose PSH differs and was let pass: with `--psh linux` the script would fail. */
  readonly pshDiffers: readonly number[];
  /** Signed error of each outbound packet's and blocking call's time, in microseconds. */
  readonly timings: readonly { readonly line: number; readonly errorUs: number }[];
  /** What code snippets printed. */
  readonly output: readonly string[];
}

/** One line for one script. */
export function describeResult(result: ScriptResult): string {
  const { file, status, reason, line, column } = result;
  if (status === 'ok') return `ok ${file}`;
  if (status === 'skipped') return `skipped: ${file}: ${reason}`;
  const where = line ? `:${line}${column ? `:${column}` : ''}` : '';
  const expected = result.expected === undefined ? '' : ` | expected: ${result.expected}`;
  const actual = result.actual === undefined ? '' : ` | got: ${result.actual}`;
  return `FAIL ${file}${where}: ${reason}${expected}${actual}`;
}
