/** The image of the server's domain: answers each byte with a byte, and closes when its peer does. */
import type { Kernel } from '@qanat/os';
import { bootStack } from 'qanat';
import { type DomainArgs, type DomainPost, FIRST_PORT } from './protocol.ts';

export function main(kernel: Kernel): void {
  const { ports } = kernel.args as DomainArgs;
  const byte = new Uint8Array(1);
  kernel.onHostMessage = () => kernel.exit(0);
  bootStack(
    kernel,
    (stack) => {
      for (let i = 0; i < ports; i++) {
        stack.listen({
          port: FIRST_PORT + i,
          backlog: 1024,
          onFlow: (flow) => {
            flow.onReadable = () => {
              flow.consume(flow.peekBytes);
              flow.write(byte);
            };
            flow.onEnd = () => flow.close();
          },
        });
      }
      kernel.post({ type: 'ready' } satisfies DomainPost);
    },
    { tcp: { noDelay: true } },
  );
}
