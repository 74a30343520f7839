/**
 * The yardstick: node:net over loopback, one flow, the server in a worker of its own. Run as a script with the number of
 * seconds and the bytes of a write (default 64 KiB); prints one JSON line.
 */
import { type AddressInfo, connect, createServer } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const WRITE_BYTES = 64 * 1024;
const SPAN_MS = 100;

export interface LoopbackRun {
  readonly bytes: number;
  readonly seconds: number;
  readonly spans: readonly { readonly seconds: number; readonly bytes: number }[];
}

function serve(): void {
  const spans: { seconds: number; bytes: number }[] = [];
  const server = createServer((socket) => {
    const startMs = performance.now();
    let bytes = 0;
    let spanBytes = 0;
    let spanMs = startMs;
    const sample = (): void => {
      const nowMs = performance.now();
      spans.push({ seconds: (nowMs - spanMs) / 1000, bytes: bytes - spanBytes });
      spanMs = nowMs;
      spanBytes = bytes;
    };
    const timer = setInterval(sample, SPAN_MS);
    socket.on('data', (chunk) => {
      bytes += chunk.length;
    });
    socket.on('end', () => {
      clearInterval(timer);
      sample();
      const run: LoopbackRun = { bytes, seconds: (performance.now() - startMs) / 1000, spans };
      parentPort!.postMessage(run);
      socket.end();
      server.close();
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort!.postMessage((server.address() as AddressInfo).port));
}

function send(port: number, seconds: number, writeBytes: number): void {
  const chunk = Buffer.alloc(writeBytes, 0x5a);
  const socket = connect(port, '127.0.0.1', () => {
    let over = false;
    setTimeout(() => {
      over = true;
      socket.end();
    }, seconds * 1000);
    const write = (): void => {
      while (!over && socket.write(chunk));
      if (!over) socket.once('drain', write);
    };
    write();
  });
  socket.resume();
}

function main(): void {
  const seconds = Number(process.argv[2]);
  const writeBytes = Number(process.argv[3] ?? WRITE_BYTES);
  const worker = new Worker(new URL(import.meta.url));
  worker.on('message', (message: number | LoopbackRun) => {
    if (typeof message === 'number') send(message, seconds, writeBytes);
    else process.stdout.write(`${JSON.stringify(message)}\n`);
  });
}

if (isMainThread) main();
else serve();
