import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { createPipe, type PipeOptions } from '@qanat/link';
import { createStack, type Stack, type StackOptions } from '../src/index.ts';

/** Two hosts on a cable, on virtual time. */
export interface Pair {
  readonly time: VirtualTime;
  readonly memory: Memory;
  readonly a: Stack;
  readonly b: Stack;
  readonly addressA: string;
  readonly addressB: string;
}

export function createPair(
  options: Partial<PipeOptions> = {},
  stack: Partial<StackOptions> = {},
  memoryBytes = 64 * 1024 * 1024,
): Pair {
  const memory = Memory.create({ bytes: memoryBytes });
  const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
  const time = new VirtualTime();
  const { clock, timers } = time;
  const [left, right] = createPipe({ memory, pages, clock, timers, ...options });
  const a = createStack({ memory, pages, clock, timers, random: seededRandom(1), name: 'a', ...stack });
  const b = createStack({ memory, pages, clock, timers, random: seededRandom(2), name: 'b', ...stack });
  a.addInterface(left, { address: '10.0.0.1/24' });
  b.addInterface(right, { address: '10.0.0.2/24' });
  return { time, memory, a, b, addressA: '10.0.0.1', addressB: '10.0.0.2' };
}
