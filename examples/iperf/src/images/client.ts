/** The image of the client's domain: opens all flows of the test; sends, or receives, or both. */
import type { Kernel } from '@qanat/os';
import { bootStack } from 'qanat';
import type { TrafficArgs } from '../protocol.ts';
import { startTrace } from './trace.ts';
import { Traffic } from './traffic.ts';

export function main(kernel: Kernel): void {
  const args = kernel.args as TrafficArgs;
  const traced = { end: (): void => {} };
  const { stack, netfronts } = bootStack(kernel, () => traffic.post({ type: 'ready' }), {
    tcp: args.tcp,
    netfront: args.netfront,
  });
  const connect = (): void => {
    for (const plan of args.streams) {
      traffic.add(plan, stack.connect({ host: args.serverIp, port: args.port, localPort: plan.localPort }));
    }
  };
  if (args.trace) traced.end = startTrace(kernel, stack, args.port, args.traceFlushUs);
  const traffic = new Traffic(kernel, args, netfronts, connect, () => traced.end());
}
