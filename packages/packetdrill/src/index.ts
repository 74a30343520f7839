export type { Script, ScriptEvent } from './ast.ts';
export { ParseError, ScriptFailure, UnsupportedError } from './errors.ts';
export type { FourTuple, Host, HostFactory, HostOptions } from './host/host.ts';
export { createQanatHost } from './host/qanat-host.ts';
export type { PshPolicy } from './packet/compare.ts';
export { type ParseOptions, parseScript } from './parser.ts';
export type { RunOptions } from './run/options.ts';
export { describeResult, type ScriptResult } from './run/result.ts';
export { runScript } from './run/run-script.ts';
