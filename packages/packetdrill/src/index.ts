export { ParseError, ScriptFailure, UnsupportedError } from './errors.ts';
export { type ParseOptions, parseScript } from './parser.ts';
