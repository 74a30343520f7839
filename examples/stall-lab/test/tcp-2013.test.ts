import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { createPipe } from '@qanat/link';
import { createStack } from '@qanat/stack';
import { expect, it } from 'vitest';
import { BUILDS } from '../src/builds.ts';

const ONE_WAY_US = 50_000;

it('TCP of 2013 paces nothing: however slow the handshake, what the window allows goes out at once', () => {
  const memory = Memory.create({ bytes: 16 << 20 });
  const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
  const time = new VirtualTime();
  const { clock, timers } = time;
  const { tcp } = BUILDS['2013'];
  const [left, right] = createPipe({ memory, pages, clock, timers, impair: { delayUs: ONE_WAY_US } });
  const sender = createStack({ memory, pages, clock, timers, random: seededRandom(1), name: 'sender', tcp });
  const receiver = createStack({ memory, pages, clock, timers, random: seededRandom(2), name: 'receiver', tcp });
  sender.addInterface(left, { address: '10.0.0.1/24' });
  receiver.addInterface(right, { address: '10.0.0.2/24' });
  const arrivals: number[] = [];
  receiver.listen({
    port: 5001,
    onFlow: (flow) => {
      flow.onReadable = () => {
        arrivals.push(clock.now());
        flow.consume(flow.peekBytes);
      };
    },
  });
  const flow = sender.connect({ host: '10.0.0.2', port: 5001 });
  const data = new Uint8Array(120 * 1460);
  let sent = 0;
  const write = (): void => {
    sent += flow.write(data.subarray(sent));
  };
  flow.onConnect = write;
  flow.onWritable = write;
  time.run(60 * ONE_WAY_US);
  expect(sent).toBe(data.length);
  // Slow start: 2, 4, ... 64 segments, a flight each round trip, and each arrives in a moment.
  const flights = arrivals.filter((us, i) => i === 0 || us - arrivals[i - 1]! > ONE_WAY_US / 10);
  const gaps = flights.slice(1).map((us, i) => us - flights[i]!);
  expect(gaps).toHaveLength(5);
  for (const us of gaps) expect(us).toBeCloseTo(2 * ONE_WAY_US, -3);
});
