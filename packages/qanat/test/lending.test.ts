import fc from 'fast-check';
import { bootStack, createMachine, type Image } from 'qanat';
import { expect, test } from 'vitest';

const at = (i: number): number => (i * 31 + (i >>> 8) + (i >>> 16)) & 0xff;

/** Takes what comes on port 7, and posts how much that was and how much of it was wrong. */
const sink: Image = {
  main: (kernel) =>
    void bootStack(kernel, (stack) => {
      let [seen, wrong] = [0, 0];
      stack.listen({
        port: 7,
        onFlow: (flow) => {
          flow.onReadable = () => {
            const { u8 } = kernel.memory;
            for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
              const addr = flow.peekAddr;
              for (let i = 0; i < n; i++) if (u8[addr + i] !== at(seen + i)) wrong++;
              seen += n;
              flow.consume(n);
            }
          };
          flow.onEnd = () => flow.shutdown();
          flow.onClose = (error) => {
            kernel.post({ seen, wrong, error: error?.code });
            kernel.exit(0);
          };
        },
      });
    }),
};

/** Lends parts of the stream from memory that it fills again as soon as it is given back. */
function source(bytes: number, part: number, shift: number, lentPages: number, queues: number): Image {
  return {
    main: (kernel) => {
      const { netfronts } = bootStack(
        kernel,
        (stack) => {
          const { u8 } = kernel.memory;
          const flow = stack.connect({ host: '192.168.8.101', port: 7 });
          const size = part + shift;
          const areas = [0, 1, 2].map(() => flow.allocLendable(size));
          let sent = 0;
          let turn = 0;
          let whole = true;
          const pump = (): void => {
            // Of three areas in turn, one is not lent at all while no more than a part is, unless parts were cut short.
            while (sent < bytes && flow.lent <= (whole ? part : 0)) {
              const addr = areas[turn++ % areas.length]! + shift;
              const length = Math.min(part, bytes - sent);
              for (let i = 0; i < length; i++) u8[addr + i] = at(sent + i);
              const taken = flow.lend(addr, length);
              sent += taken;
              whole = taken === length;
              if (!whole) break;
            }
            if (sent === bytes) flow.shutdown();
          };
          flow.onConnect = pump;
          flow.onWritable = pump;
          flow.onReturned = pump;
          flow.onClose = () => {
            kernel.post({ lent: flow.lent, referring: netfronts[0]!.counters!.tx.referring });
            for (const area of areas) flow.freeLendable(area, size);
            kernel.exit(0);
          };
        },
        { netfront: { lentPages, queues } },
      );
    },
  };
}

async function run(
  o: { bytes: number; part: number; shift: number; lentPages: number; queues: number; mtu: number; loss: number },
  seed: number,
): Promise<[{ seen: number; wrong: number; error?: string }, { lent: number; referring: number }]> {
  const machine = await createMachine({ cpus: 'virtual', audit: true, memoryMiB: 300, seed: seed >>> 0 });
  const messages: unknown[][] = [[], []];
  const images = [sink, source(o.bytes, o.part, o.shift, o.lentPages, o.queues)];
  for (const [i, name] of ['sink', 'source'].entries()) {
    const impair = o.loss > 0 ? { impair: { lossRate: o.loss, delayUs: 500 } } : {};
    const vifs = [{ ip: `192.168.8.10${i + 1}/24`, mtu: o.mtu, ...impair }];
    const domain = await machine.create({ name, memoryMiB: 48, vifs, image: images[i]! });
    domain.onMessage = (message) => messages[i]!.push(message);
  }
  await machine.run();
  await machine.close();
  return [messages[0]![0], messages[1]![0]] as never;
}

test('bytes that are lent go without a copy, and come back for more', async () => {
  const [seen, sent] = await run(
    { bytes: 2_000_000, part: 100_000, shift: 3, lentPages: 1024, queues: 1, mtu: 1500, loss: 0 },
    1,
  );
  expect(seen).toEqual({ seen: 2_000_000, wrong: 0, error: undefined });
  expect(sent.lent).toBe(0);
  expect(sent.referring).toBeGreaterThan(20);
}, 30_000);

test('whatever the parts, the queues, the MTU and the loss, the same bytes come (property)', async () => {
  const options = fc.record({
    bytes: fc.integer({ min: 1, max: 300_000 }),
    part: fc.integer({ min: 1000, max: 120_000 }),
    shift: fc.integer({ min: 0, max: 4095 }),
    lentPages: fc.constantFrom(0, 256, 1024),
    queues: fc.constantFrom(1, 2),
    mtu: fc.constantFrom(1500, 9000, 65_521),
    loss: fc.constantFrom(0, 0, 0.02),
  });
  await fc.assert(
    fc.asyncProperty(options, fc.integer(), async (o, seed) => {
      const [seen, sent] = await run(o, seed);
      expect([seen.seen, seen.wrong, seen.error, sent.lent]).toEqual([o.bytes, 0, undefined, 0]);
    }),
    { numRuns: 6 },
  );
}, 30_000);
