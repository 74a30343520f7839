import { bootStack } from 'qanat';

/** Echoes one flow on port 7 and ends. */
export function main(kernel) {
  bootStack(kernel, (stack) => {
    kernel.console.log('server is up');
    stack.listen({
      port: 7,
      onFlow: (flow) => {
        const bytes = new Uint8Array(2000);
        flow.onReadable = () => {
          for (let n = flow.read(bytes); n > 0; n = flow.read(bytes)) flow.write(bytes.subarray(0, n));
        };
        flow.onEnd = () => flow.shutdown();
        flow.onClose = () => kernel.exit(0);
      },
    });
  });
}
