import type { Server } from 'node:http';
import { LiveStream, pageHtml, servePage, textRoute } from '@qanat/tcpvis';
import { UsageError } from './usage-error.ts';

/** Pages get what was recorded this often. */
const FLUSH_MS = 50;
/** So long a slow page is waited for at the end. */
const WAIT_MS = 5000;

/** `--live`: the page of tcpvis on this computer, and the flow log of the run while it is written. */
export class LivePage {
  readonly url: string;
  readonly #server: Server;
  readonly #stream: LiveStream;
  readonly #timer: NodeJS.Timeout;

  private constructor(url: string, server: Server, stream: LiveStream) {
    this.url = url;
    this.#server = server;
    this.#stream = stream;
    this.#timer = setInterval(() => stream.flush(), FLUSH_MS);
  }

  /** @param port 0 for any that is free. @throws UsageError when it is taken. */
  static async open(port: number): Promise<LivePage> {
    const stream = new LiveStream();
    const page = await pageHtml({ kind: 'live', name: 'iperf, live', url: 'live' });
    const routes = { '/': textRoute(page, 'text/html; charset=utf-8'), '/live': stream.route };
    try {
      const { server, url } = await servePage(routes, port);
      return new LivePage(url, server, stream);
    } catch (error) {
      throw new UsageError(`--live ${port}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Takes a piece of the log. */
  write(bytes: Uint8Array): void {
    this.#stream.write(bytes);
  }

  /** The log is whole: the pages get the rest of it, then nothing is served any more. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#stream.end(WAIT_MS);
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
