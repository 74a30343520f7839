/** The image of the client's domain: one flow at full speed, whose recording the host switches on and off. */
import type { Kernel } from '@qanat/os';
import type { Flow, Stack } from '@qanat/stack';
import { bootStack } from 'qanat';
import { bootOptions } from './boot-options.ts';
import { type DomainPost, type HostPost, PORT, type RecordingArgs, SERVER_IP } from './protocol.ts';
import { SwitchedTrace } from './switched.ts';

const WRITE_BYTES = 131_072;
const PAGE_BYTES = 4096;
/** Then the loop gets a turn. */
const WRITES_PER_TURN = 64;

export function main(kernel: Kernel): void {
  const { what, mode } = kernel.args as RecordingArgs;
  const post = (message: DomainPost): void => kernel.post(message);
  const source = kernel.pages.allocContiguous(WRITE_BYTES / PAGE_BYTES);
  let flow: Flow | undefined;
  let trace: SwitchedTrace | undefined;
  const write = (): void => {
    if (flow === undefined) return;
    for (let i = 0; i < WRITES_PER_TURN; i++) if (flow.writeFrom(source, WRITE_BYTES) < WRITE_BYTES) return;
    kernel.loop.defer(write);
  };
  const open = (stack: Stack): void => {
    flow = stack.connect({ host: SERVER_IP, port: PORT });
    flow.onConnect = write;
    flow.onWritable = write;
  };
  const switchTo = (on: boolean): void => {
    trace?.switch(on);
    if (what !== 'memory' || flow === undefined) return;
    if (on) flow.startLogging();
    else flow.stopLogging();
  };
  const { stack } = bootStack(
    kernel,
    () => {
      if (what === 'file') trace = new SwitchedTrace(kernel, stack);
      post({ type: 'ready' });
    },
    bootOptions(mode),
  );
  kernel.onHostMessage = (message) => {
    const request = message as HostPost;
    if (request.type === 'go') open(stack);
    else if (request.type === 'switch') switchTo(request.on);
    else if (request.type === 'count') {
      post({ type: 'counted', nowUs: kernel.clock.now(), bytes: flow?.info().tcpi_bytes_acked ?? 0 });
    } else {
      trace?.end();
      const log = flow?.logSnapshot();
      post({ type: 'ended', records: log === undefined ? 0 : log.count + log.overwritten });
      kernel.exit(0);
    }
  };
}
