import { bootStack, type Image, type Stack } from 'qanat';

/** An image that brings up its network and does `then` with it. */
export function onStack(then: (stack: Stack, kernel: Parameters<Image['main']>[0]) => void): Image {
  return { main: (kernel) => void bootStack(kernel, (stack) => then(stack, kernel)) };
}

/** Takes what one flow on port 7 brings, posts how many bytes it was, and ends. */
export const sink = onStack((stack, kernel) => {
  let bytes = 0;
  kernel.console.log('sink is up');
  stack.listen({
    port: 7,
    onFlow: (flow) => {
      flow.onReadable = () => {
        for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
          bytes += n;
          flow.consume(n);
        }
      };
      flow.onEnd = () => flow.shutdown();
      flow.onClose = (error) => {
        kernel.post({ bytes, error: error?.code });
        kernel.exit(error === undefined ? 0 : 2);
      };
    },
  });
});

/** Sends as many bytes as its argument says to the sink at 192.168.8.101. */
export const source = onStack((stack, kernel) => {
  let left = kernel.args as number;
  const bytes = new Uint8Array(8192);
  const flow = stack.connect({ host: '192.168.8.101', port: 7 });
  const pump = (): void => {
    while (left > 0) {
      const taken = flow.write(bytes.subarray(0, Math.min(left, bytes.length)));
      if (taken === 0) return;
      left -= taken;
    }
    flow.shutdown();
  };
  flow.onConnect = pump;
  flow.onWritable = () => {
    if (left > 0) pump();
  };
  flow.onClose = (error) => {
    kernel.post(flow.info());
    kernel.exit(error === undefined ? 0 : 2);
  };
});

/** Waits for whatever comes. */
export const waiting: Image = { main: (kernel) => kernel.console.log(`${kernel.name} waits`) };
