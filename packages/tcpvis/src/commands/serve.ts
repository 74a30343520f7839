import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Output } from '../output.ts';
import { pageHtml } from '../page-html.ts';
import { fileRoute, servePage, textRoute } from '../page-server.ts';
import { checkFileReadable } from '../read-file.ts';
import { UsageError } from '../usage-error.ts';
import { wholeNumber } from './numbers.ts';

/** `serve IN`: the page and the log at an address of this computer, until it is interrupted. */
export function registerServe(program: Command, output: Output): void {
  program
    .command('serve')
    .description('serve the viewer with a log on 127.0.0.1; of a large log only what is looked at is read')
    .argument('<in>', 'a flow log or a capture')
    .option('-p, --port <n>', 'port, 0 for any that is free', wholeNumber(0, 65_535), 0)
    .action(async (input: string, options: { port: number }) => {
      await checkFileReadable(input);
      const html = await pageHtml({ kind: 'url', name: basename(input), url: 'log' });
      const routes = { '/': textRoute(html, 'text/html; charset=utf-8'), '/log': fileRoute(input) };
      const { server, url } = await servePage(routes, options.port).catch((error: Error) => {
        throw new UsageError(error.message);
      });
      output.out(`${url}\n`);
      await new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
      });
      server.closeAllConnections();
      server.close();
    });
}
