import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { SourceRecorder, type Trace } from '@qanat/flowlog';
import { createPipe } from '@qanat/link';
import { createStack, type Flow } from '@qanat/stack';

const MEMORY_BYTES = 64 * 1024 * 1024;
const PORT = 5001;
const STEP_US = 200_000;
const WRITE_BYTES = 65_536;
const IMPAIR = { delayUs: 5000, lossRate: 0.0002, rateBitsPerSecond: 1e9 };

/**
 * What one end recorded of a flow with bulk data both ways over a link of 1 Gbit/s and 10 ms of round trip that loses 0.02 %,
 * on virtual time: every call makes the same log.
 * @param rows of segments, windows and events together, at least.
 */
export function sampleLog(rows: number): Trace {
  const memory = Memory.create({ bytes: MEMORY_BYTES });
  const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
  const time = new VirtualTime();
  const { clock, timers } = time;
  const world = { memory, pages, clock, timers };
  const [left, right] = createPipe({ ...world, impair: { seed: 1, ...IMPAIR } });
  const a = createStack({ ...world, random: seededRandom(1), name: 'a' });
  const b = createStack({ ...world, random: seededRandom(2), name: 'b' });
  a.addInterface(left, { address: '10.0.0.1/24' });
  b.addInterface(right, { address: '10.0.0.2/24' });
  const source = { id: 1, name: 'client', kind: 'host' } as const;
  const recorder = new SourceRecorder({ source, now: () => clock.now(), records: rows, machineRecords: 1 });
  a.record(recorder);
  const text = new Uint8Array(WRITE_BYTES);
  const bulk = (flow: Flow): void => {
    const pump = (): void => {
      while (flow.write(text) > 0);
    };
    flow.onReadable = () => {
      for (let bytes = flow.peekBytes; bytes > 0; bytes = flow.peekBytes) flow.consume(bytes);
    };
    flow.onWritable = pump;
    pump();
  };
  b.listen({ port: PORT, onFlow: bulk });
  bulk(a.connect({ host: '10.0.0.2', port: PORT, localPort: 40_000 }));
  for (;;) {
    time.run(clock.now() + STEP_US);
    const trace = recorder.trace();
    const { segments, windows, events } = trace.flows[0]!;
    if (segments.rows + windows.rows + events.rows >= rows) return trace;
  }
}
