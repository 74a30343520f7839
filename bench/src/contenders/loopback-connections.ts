/**
 * node:net over loopback: connections opened, used for a byte each way and closed, 64 at once, the server in a worker.
 * `node loopback-connections.js SECONDS WARM_UP_SECONDS` prints its figures as JSON.
 */
import { type AddressInfo, connect, createServer } from 'node:net';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const CONCURRENT = 64;
/** Each has the host's ephemeral ports for itself. */
const PORTS = 16;

function serve(): void {
  const ports: number[] = [];
  for (let i = 0; i < PORTS; i++) {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('data', (chunk) => socket.write(chunk));
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1', 1024, () => {
      ports.push((server.address() as AddressInfo).port);
      if (ports.length === PORTS) parentPort!.postMessage(ports);
    });
  }
}

function run(ports: readonly number[], seconds: number, warmUpSeconds: number): void {
  let opened = 0;
  let finished = 0;
  const next = (): void => {
    const socket = connect({ port: ports[opened++ % PORTS]!, host: '127.0.0.1', noDelay: true }, () =>
      socket.write('x'),
    );
    socket.on('data', () => socket.end());
    socket.on('end', () => {
      finished++;
      next();
    });
  };
  for (let i = 0; i < CONCURRENT; i++) next();
  setTimeout(() => {
    const [before, startMs] = [finished, performance.now()];
    setTimeout(() => {
      const us = (performance.now() - startMs) * 1000;
      const counted = finished - before;
      const figures = { connectionsPerSecond: (counted * 1e6) / us, usPerConnection: us / counted };
      process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
    }, seconds * 1000);
  }, warmUpSeconds * 1000);
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  worker.on('message', (ports: number[]) => run(ports, Number(process.argv[2]), Number(process.argv[3])));
} else serve();
