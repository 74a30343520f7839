import type { Command } from 'commander';
import type { Output } from '../output.ts';
import { registerConvert } from './convert.ts';
import { registerHtml } from './html.ts';
import { registerInfo } from './info.ts';
import { registerPlot } from './plot.ts';
import { registerServe } from './serve.ts';

/** Adds one command to the program. */
export type Register = (program: Command, output: Output) => void;

/** In the order of `--help`. */
export const COMMANDS: readonly Register[] = [registerConvert, registerInfo, registerHtml, registerPlot, registerServe];
