import { SlotSink, SourceRecorder } from '@qanat/flowlog';
import type { Kernel } from '@qanat/os';
import type { Recording, Stack } from '@qanat/stack';
import { type DomainPost, PORT } from './protocol.ts';

/** No flow has it. */
const NO_PORT = 1;

/** The streamed recording of a domain, which can be off for a while. */
export class SwitchedTrace {
  readonly #kernel: Kernel;
  readonly #source: SourceRecorder;
  readonly #recording: Recording;

  constructor(kernel: Kernel, stack: Stack) {
    this.#kernel = kernel;
    const sink = new SlotSink((trace) => kernel.post({ type: 'trace', trace } satisfies DomainPost));
    this.#source = new SourceRecorder({
      source: { id: kernel.domid, name: kernel.name, kind: 'domain' },
      now: () => kernel.clock.now(),
      sink,
    });
    this.#recording = stack.record(this.#source, { port: NO_PORT });
  }

  switch(on: boolean): void {
    this.#kernel.watched.observer = on ? this.#source.machine : undefined;
    this.#recording.setFilter({ port: on ? PORT : NO_PORT });
  }

  end(): void {
    this.switch(false);
    this.#recording.stop();
    this.#source.flush();
  }
}
