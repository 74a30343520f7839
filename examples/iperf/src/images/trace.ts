import { Timer } from '@qanat/clock';
import { SlotSink, SourceRecorder } from '@qanat/flowlog';
import type { Kernel } from '@qanat/os';
import type { Stack } from '@qanat/stack';
import type { DomainMessage } from '../protocol.ts';

/**
 * Records the test's flows and what happens to the domain; everything goes to the command while it runs.
 * @param port the server's. @param flushUs also chunks that are not full go, this often; 0: they wait.
 * @returns a way to end it.
 */
export function startTrace(kernel: Kernel, stack: Stack, port: number, flushUs: number): () => void {
  const sink = new SlotSink((trace) => kernel.post({ type: 'trace', trace } satisfies DomainMessage));
  const source = new SourceRecorder({
    source: { id: kernel.domid, name: kernel.name, kind: 'domain' },
    now: () => kernel.clock.now(),
    sink,
  });
  kernel.watched.observer = source.machine;
  const recording = stack.record(source, { port });
  const { timers } = kernel.loop;
  const flush = new Timer(() => {
    source.flush();
    timers.arm(flush, kernel.clock.now() + flushUs);
  });
  if (flushUs > 0) timers.arm(flush, kernel.clock.now() + flushUs);
  return () => {
    timers.cancel(flush);
    kernel.watched.observer = undefined;
    recording.stop();
    source.flush();
  };
}
