/** A place in a script; lines and columns count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A script that is no packetdrill script. The message begins with `file:line:column: `. */
export class ParseError extends Error {
  readonly file: string;
  readonly position: Position;
  readonly detail: string;

  constructor(file: string, position: Position, detail: string) {
    super(`${file}:${position.line}:${position.column}: ${detail}`);
    this.name = 'ParseError';
    this.file = file;
    this.position = position;
    this.detail = detail;
  }
}

/** A script asks for something that this runner or this stack does not have. Its result is "skipped", never "passed". */
export class UnsupportedError extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'UnsupportedError';
  }
}

/** What a script expected did not come. */
export class ScriptFailure extends Error {
  /** Line of the event in the script, 0 when the failure belongs to no line. */
  readonly line: number;
  readonly expected: string | undefined;
  readonly actual: string | undefined;

  constructor(line: number, what: string, expected?: string, actual?: string) {
    super(what);
    this.name = 'ScriptFailure';
    this.line = line;
    this.expected = expected;
    this.actual = actual;
  }
}
