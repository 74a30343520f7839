import { SlotSink, SourceRecorder } from '@qanat/flowlog';
import type { Kernel } from '@qanat/os';
import type { Stack } from '@qanat/stack';
import type { DomainMessage } from '../protocol.ts';

/**
 * Records the test's flows and what happens to the domain; everything goes to the command while it runs.
 * @param port the server's. @returns a way to end it.
 */
export function startTrace(kernel: Kernel, stack: Stack, port: number): () => void {
  const sink = new SlotSink((trace) => kernel.post({ type: 'trace', trace } satisfies DomainMessage));
  const source = new SourceRecorder({
    source: { id: kernel.domid, name: kernel.name, kind: 'domain' },
    now: () => kernel.clock.now(),
    sink,
  });
  kernel.watched.observer = source.machine;
  const recording = stack.record(source, { port });
  return () => {
    kernel.watched.observer = undefined;
    recording.stop();
    source.flush();
  };
}
