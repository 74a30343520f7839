/** The first module of a domain's thread: builds the kernel, runs the image in it, and then its main loop. */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { Memory } from '@qanat/bytes';
import { Hypervisor } from '@qanat/xen';
import { keepThreadTo } from './host-cpus.ts';
import { isImage } from './image.ts';
import { Kernel } from './kernel.ts';
import { LOOP_STOPPED } from './main-loop.ts';
import { ThreadCpu } from './thread-cpu.ts';
import { describeError, type ThreadMessage, type ThreadStart } from './thread-protocol.ts';

/** A thread that has exited its domain but still holds handles is ended after this. */
const LINGER_MS = 100;

const port = parentPort;
if (port === null) throw new Error('thread-entry is the start of a worker thread, not a program');

const start = workerData as ThreadStart;
const cpu = new ThreadCpu({ spinUs: start.spinUs, audit: start.audit });
const kernel = new Kernel({
  hypervisor: Hypervisor.attach(Memory.attach(start.memory)),
  domid: start.domid,
  config: start.config,
  args: start.args,
  cpu,
  seed: start.seed,
  post: (message) => send({ type: 'message', message }),
});
cpu.attach(kernel);
kernel.listenToHost(receive);

let over = false;

process.on('uncaughtException', crash);
process.on('unhandledRejection', crash);

try {
  const { affinity } = start.config;
  if (affinity !== undefined) keepThreadTo(affinity);
  const module: unknown = await import(start.image);
  if (!isImage(module)) throw new TypeError(`the image ${start.image} does not export a function main(kernel)`);
  const running = kernel.start(module);
  // The loop runs at once: what an async main waits for may need it.
  if (running instanceof Promise) {
    cpu.mainPending = true;
    running.catch(crash).finally(() => {
      cpu.mainPending = false;
    });
  }
  receive();
  pump();
} catch (error) {
  crash(error);
}

function pump(): void {
  if (over) return;
  try {
    if (kernel.loop.run() === LOOP_STOPPED) finish(kernel.exitCode ?? 0);
    else {
      kernel.publishStats();
      setImmediate(pump);
    }
  } catch (error) {
    crash(error);
  }
}

function receive(): void {
  for (let got = receiveMessageOnPort(port!); got !== undefined; got = receiveMessageOnPort(port!)) {
    kernel.deliverHostMessage(got.message);
  }
}

function crash(error: unknown): void {
  if (over) return;
  kernel.crashed();
  finish(1, describeError(error));
}

function finish(code: number, error?: { message: string; stack: string }): void {
  if (over) return;
  over = true;
  kernel.publishStats();
  send(error === undefined ? { type: 'exit', code } : { type: 'exit', code, error });
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

function send(message: ThreadMessage): void {
  port!.postMessage(message);
}
