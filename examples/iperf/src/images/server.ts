/** The image of the server's domain: takes the client's flows; receives, or sends, or both. */
import type { Kernel } from '@qanat/os';
import type { Flow } from '@qanat/stack';
import { bootStack } from 'qanat';
import type { TrafficArgs } from '../protocol.ts';
import { startTrace } from './trace.ts';
import { Traffic } from './traffic.ts';

export function main(kernel: Kernel): void {
  const args = kernel.args as TrafficArgs;
  const onFlow = (flow: Flow): void => {
    const plan = args.streams.find(({ localPort }) => localPort === flow.remote.port);
    if (plan) traffic.add(plan, flow);
    else flow.reset();
  };
  const traced = { end: (): void => {} };
  const { stack, netfronts } = bootStack(
    kernel,
    (stack) => {
      stack.listen({ port: args.port, onFlow });
      traffic.post({ type: 'ready' });
    },
    { tcp: args.tcp, netfront: args.netfront },
  );
  if (args.trace) traced.end = startTrace(kernel, stack, args.port, args.traceFlushUs);
  const traffic = new Traffic(
    kernel,
    args,
    netfronts,
    () => {},
    () => traced.end(),
  );
}
