import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Output } from '../output.ts';
import { pageHtml } from '../page-html.ts';
import { formatBytes } from '../progress.ts';
import { checkReadable, readBytes } from '../read-file.ts';
import { UsageError } from '../usage-error.ts';
import { refuseSameFile, writeOutput } from './files.ts';

/** A browser keeps a document and what it decodes of it in memory several times. */
const MAX_BYTES = 256 << 20;

/** `html IN OUT`: one self-contained page. */
export function registerHtml(program: Command, output: Output): void {
  program
    .command('html')
    .description('write one HTML file with the viewer and the log in it, for a browser without a server')
    .argument('<in>', 'a flow log or a capture; - for the viewer alone')
    .argument('<out.html>', 'the page')
    .action(async (input: string, out: string) => {
      if (!/\.html?$/i.test(out)) throw new UsageError(`'${out}' is no name of a page: let it end in .html`);
      if (input === '-') {
        writeOutput(out, await pageHtml());
      } else {
        refuseSameFile(input, out);
        const bytes = readBytes(input);
        if (bytes.length > MAX_BYTES) {
          throw new UsageError(
            `${input} has ${formatBytes(bytes.length)}, and a page holds ${formatBytes(MAX_BYTES)} at most: look at it with 'qanat-flow serve ${input}', or open the page of 'qanat-flow html - viewer.html' and drop it there`,
          );
        }
        await checkReadable(input, bytes.length, (offset, length) => bytes.subarray(offset, offset + length));
        writeOutput(out, await pageHtml({ kind: 'embedded', name: basename(input), bytes }));
      }
      output.out(`${out}\n`);
    });
}
