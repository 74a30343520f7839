import { bootStack } from 'qanat';

/** Sends its argument to the server, posts what comes back, and ends. */
export function main(kernel) {
  bootStack(kernel, (stack) => {
    const flow = stack.connect({ host: '192.168.8.101', port: 7 });
    const bytes = new Uint8Array(2000);
    let text = '';
    flow.onConnect = () => {
      flow.write(new TextEncoder().encode(kernel.args));
      flow.shutdown();
    };
    flow.onReadable = () => {
      for (let n = flow.read(bytes); n > 0; n = flow.read(bytes))
        text += new TextDecoder().decode(bytes.subarray(0, n));
    };
    flow.onClose = (error) => {
      kernel.post(error === undefined ? text : error.code);
      kernel.exit(error === undefined ? 0 : 2);
    };
  });
}
