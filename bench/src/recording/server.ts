/** The image of the server's domain: reads what comes. */
import type { Kernel } from '@qanat/os';
import { bootStack } from 'qanat';
import { bootOptions } from './boot-options.ts';
import { type DomainPost, type HostPost, PORT, type RecordingArgs } from './protocol.ts';
import { SwitchedTrace } from './switched.ts';

export function main(kernel: Kernel): void {
  const { what, mode } = kernel.args as RecordingArgs;
  const post = (message: DomainPost): void => kernel.post(message);
  let trace: SwitchedTrace | undefined;
  kernel.onHostMessage = (message) => {
    const request = message as HostPost;
    if (request.type === 'switch') trace?.switch(request.on);
    if (request.type !== 'exit') return;
    trace?.end();
    post({ type: 'ended', records: 0 });
    kernel.exit(0);
  };
  bootStack(
    kernel,
    (stack) => {
      if (what === 'file') trace = new SwitchedTrace(kernel, stack);
      stack.listen({
        port: PORT,
        onFlow: (flow) => {
          flow.onReadable = () => {
            for (let bytes = flow.peekBytes; bytes > 0; bytes = flow.peekBytes) flow.consume(bytes);
          };
          flow.onEnd = () => flow.close();
        },
      });
      post({ type: 'ready' });
    },
    bootOptions(mode),
  );
}
