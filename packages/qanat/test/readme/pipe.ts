import { createPipe, createStack, Memory, PAGE_SIZE, PageAllocator, VirtualTime } from 'qanat';

const memory = Memory.create({ bytes: 16 << 20 });
const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
const time = new VirtualTime();
const world = { memory, pages, clock: time.clock, timers: time.timers };
const [left, right] = createPipe({ ...world, impair: { delayUs: 10_000 } });
const alice = createStack(world);
const bob = createStack(world);
alice.addInterface(left, { address: '10.0.0.1/24' });
bob.addInterface(right, { address: '10.0.0.2/24' });
bob.listen({ port: 80, onFlow: (flow) => flow.write(Buffer.from('hello')) });
const flow = alice.connect({ host: '10.0.0.2', port: 80 });
flow.onReadable = () => console.log(`${flow.readable} bytes at ${time.clock.now()} us`); // 5 bytes at 50000 us
time.run(1_000_000);
