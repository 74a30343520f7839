import { Command, CommanderError } from 'commander';
import { COMMANDS } from './commands/index.ts';
import type { Output } from './output.ts';
import { UsageError } from './usage-error.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * The command `qanat-flow`.
 * @param args what follows the command's name.
 * @returns the exit code: 0, 1 when it failed on the way, 2 when what was asked for cannot be done.
 */
export async function main(args: readonly string[], output: Output): Promise<number> {
  const program = new Command('qanat-flow')
    .description('Looks into flow logs and captures.')
    .exitOverride()
    .configureOutput({
      writeOut: output.out,
      writeErr: () => {},
    });
  for (const register of COMMANDS) register(program, output);
  for (const command of program.commands) command.copyInheritedSettings(program);
  try {
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      const text = error.code === 'commander.help' ? 'give a command: --help lists them' : oneLine(error.message);
      output.error(`qanat-flow: ${text}\n`);
      return EXIT_USAGE;
    }
    if (error instanceof UsageError) {
      output.error(`qanat-flow: ${error.message.replaceAll(/\p{Cc}/gu, '?')}\n`);
      return EXIT_USAGE;
    }
    output.error(`qanat-flow: ${error instanceof Error ? error.stack : String(error)}\n`);
    return EXIT_FAILED;
  }
}

/** Commander's messages begin with "error: " and may go on in a second line with a suggestion. */
function oneLine(message: string): string {
  return message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' ');
}
