import type { CodeAction, CommandAction, Script } from '../ast.ts';
import { CodeError, type Statement } from '../code/ast.ts';
import { parseCode } from '../code/parser.ts';
import { ParseError, ScriptFailure, UnsupportedError } from '../errors.ts';
import type { HostFactory } from '../host/host.ts';
import { createQanatHost } from '../host/qanat-host.ts';
import { parseScript } from '../parser.ts';
import { commandEffects } from '../shell/commands.ts';
import type { Effect } from '../shell/effects.ts';
import { type RunOptions, runConfig } from './options.ts';
import type { ScriptResult } from './result.ts';
import { type PreparedScript, Runner, type RunReport } from './runner.ts';

/**
 * Words that public scripts expect from the command line: the Fast Open cookies of the default addresses, under the key
 * of SUITE_DEFAULTS and under one of zeros, and the level and type of IPv4's error messages.
 */
const WELL_KNOWN: readonly (readonly [string, string])[] = [
  ['TFO_COOKIE', '3021b9d889017eeb'],
  ['TFO_COOKIE_ZERO', 'b7c12350a90dc8f5'],
  ['CMSG_LEVEL_IP', 'SOL_IP'],
  ['CMSG_TYPE_RECVERR', 'IP_RECVERR'],
];

const NOTHING: RunReport = { warnings: [], pshDiffers: [], timings: [], output: [] };

/**
 * Runs one script on a machine of its own, in virtual time.
 * @param file its name, for messages. @param source its text.
 * @returns how it went; a script that is no script, or fails, is a result, not an exception.
 */
export function runScript(
  file: string,
  source: string,
  options: RunOptions = {},
  createHost: HostFactory = createQanatHost,
): ScriptResult {
  let report = NOTHING;
  try {
    const script = parseScript(source, { file, defines: new Map([...WELL_KNOWN, ...(options.defines ?? [])]) });
    const config = runConfig(script, options);
    const prepared = prepare(script);
    const init = config.init.flatMap((path) => commandEffects(path));
    const host = createHost(config.host);
    try {
      for (const effect of init) host.apply(effect);
      const runner = new Runner(prepared, config, host);
      report = runner.report;
      runner.run();
    } finally {
      host.close();
    }
    return { file, status: 'ok', ...report };
  } catch (error) {
    return { ...failed(file, error), ...report };
  }
}

function failed(file: string, error: unknown): Omit<ScriptResult, keyof RunReport> {
  if (error instanceof UnsupportedError) return { file, status: 'skipped', reason: error.message };
  if (error instanceof ParseError) {
    const { line, column } = error.position;
    return { file, status: 'FAIL', reason: error.detail, line, column };
  }
  if (error instanceof ScriptFailure) {
    const { line, expected, actual, message } = error;
    return {
      file,
      status: 'FAIL',
      reason: message,
      line,
      ...(expected === undefined ? {} : { expected }),
      ...(actual === undefined ? {} : { actual }),
    };
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { file, status: 'FAIL', reason: `the runner or the stack threw: ${text}` };
}

/** Parses code and commands before anything runs. */
function prepare(script: Script): PreparedScript {
  const code = new Map<CodeAction, readonly Statement[]>();
  const commands = new Map<CommandAction, readonly Effect[]>();
  if (script.init) commands.set(script.init, commandEffects(script.init.text));
  for (const { action } of script.events) {
    if (action.kind === 'code') code.set(action, parseSnippet(script.file, action));
    if (action.kind === 'command') commands.set(action, commandEffects(action.text));
  }
  // The last command tidies up after the script; the machine is thrown away, so nothing is left to tidy.
  return { script, code, commands };
}

function parseSnippet(file: string, action: CodeAction): readonly Statement[] {
  try {
    return parseCode(action.text);
  } catch (error) {
    if (!(error instanceof CodeError)) throw error;
    const before = action.text.slice(0, error.offset).split('\n');
    const first = before.length === 1;
    const line = action.position.line + before.length - 1;
    const column = (first ? action.position.column : 1) + before.at(-1)!.length;
    throw new ParseError(file, { line, column }, `in this code: ${error.message}`);
  }
}
