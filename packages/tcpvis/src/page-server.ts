/** Serves the page and a log on this computer. */
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Answers one request for its path. */
export type Route = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Serves `routes` (by path) on 127.0.0.1.
 * @param port 0 for any that is free.
 * @returns the server and the page's address.
 * @throws Error with a sentence for people when the port cannot be used.
 */
export async function servePage(
  routes: Readonly<Record<string, Route>>,
  port: number,
): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').replace(/\?.*$/, '');
    const route = routes[path];
    // Another site's page in the same browser must not read what is served here.
    const { host = '' } = request.headers;
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(host)) return refuse(response, 403);
    if (route === undefined) return refuse(response, 404);
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405);
    route(request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(new Error(portTrouble(port, error))));
    server.listen(port, '127.0.0.1', resolve);
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

function portTrouble(port: number, error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return `port ${port} is in use: choose another, or 0 for any that is free`;
  if (error.code === 'EACCES') return `port ${port} may not be used without more rights: choose one above 1023, or 0`;
  return `port ${port} cannot be used: ${error.message}`;
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'text/plain' });
  response.end(`${status}\n`);
}

/** A route that answers with a text. */
export function textRoute(text: string, type: string): Route {
  const bytes = Buffer.from(text);
  return (request, response) => {
    response.writeHead(200, { 'content-type': type, 'content-length': bytes.length, 'cache-control': 'no-store' });
    response.end(request.method === 'HEAD' ? undefined : bytes);
  };
}

/** A route that answers with a file, or the range of it that is asked for (RFC 9110, 14.2). */
export function fileRoute(path: string): Route {
  return (request, response) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return refuse(response, 404);
    const headers = {
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const start = range === null ? 0 : Number(range[1]);
    const end = range === null || range[2] === '' ? stat.size - 1 : Math.min(Number(range[2]), stat.size - 1);
    if (range !== null && (start > end || start >= stat.size)) {
      response.writeHead(416, { 'content-range': `bytes */${stat.size}` });
      response.end();
      return;
    }
    const partial = range === null ? {} : { 'content-range': `bytes ${start}-${end}/${stat.size}` };
    const length = stat.size === 0 ? 0 : end - start + 1;
    response.writeHead(range === null ? 200 : 206, { ...headers, ...partial, 'content-length': length });
    if (request.method === 'HEAD' || length === 0) response.end();
    else sendFile(path, start, length, response).catch(() => response.destroy());
  };
}

const PIECE_BYTES = 1 << 20;

/** Sends a part of a file by way of two pieces of memory: one is read into while the other is on its way. */
async function sendFile(path: string, start: number, length: number, response: ServerResponse): Promise<void> {
  const file = await open(path);
  try {
    const pieces = [Buffer.allocUnsafeSlow(PIECE_BYTES), Buffer.allocUnsafeSlow(PIECE_BYTES)] as const;
    let sent: Promise<void> = Promise.resolve();
    for (let at = 0, turn = 0; at < length; turn ^= 1) {
      const piece = pieces[turn as 0 | 1];
      const { bytesRead } = await file.read(piece, 0, Math.min(PIECE_BYTES, length - at), start + at);
      if (bytesRead === 0) throw new Error('the file became shorter');
      await sent;
      sent = written(response, piece.subarray(0, bytesRead));
      at += bytesRead;
    }
    await sent;
    response.end();
  } finally {
    await file.close();
  }
}

/** @returns when the memory is free again; fails when the peer is gone. */
function written(response: ServerResponse, bytes: Uint8Array): Promise<void> {
  const done = new Promise<void>((resolve, reject) => {
    const gone = (): void => reject(new Error('the peer is gone'));
    response.once('close', gone);
    response.write(bytes, (error) => {
      response.off('close', gone);
      if (error) reject(error);
      else resolve();
    });
  });
  // Whoever waits for it hears of the failure, maybe later.
  done.catch(() => {});
  return done;
}
