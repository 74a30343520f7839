import fc from 'fast-check';
import { bootStack, createMachine, type Image } from 'qanat';
import { expect, test } from 'vitest';

/** What one end does with offloads, and how the machine's link to it is. */
interface End {
  readonly checksumOffload: boolean;
  readonly gso: boolean;
  readonly persistentGrants: boolean;
  readonly mtu: number;
  readonly lossRate: number;
}

const at = (i: number): number => (i * 31 + (i >>> 8) + (i >>> 16)) & 0xff;

/** Sends `bytes` of the pattern, or takes them and posts how many came and were wrong. */
function image(end: End, bytes: number): Image {
  const { mtu: _mtu, lossRate: _lossRate, ...netfront } = end;
  return {
    main: (kernel) =>
      void bootStack(
        kernel,
        (stack) => {
          if (kernel.name === 'sink') {
            let [seen, wrong] = [0, 0];
            const buffer = new Uint8Array(65_536);
            stack.listen({
              port: 7,
              onFlow: (flow) => {
                flow.onReadable = () => {
                  for (let n = flow.read(buffer); n > 0; n = flow.read(buffer)) {
                    for (let i = 0; i < n; i++) if (buffer[i] !== at(seen + i)) wrong++;
                    seen += n;
                  }
                };
                flow.onEnd = () => flow.shutdown();
                flow.onClose = (error) => {
                  kernel.post({ seen, wrong, error: error?.code });
                  kernel.exit(0);
                };
              },
            });
            return;
          }
          let sent = 0;
          const flow = stack.connect({ host: '192.168.8.101', port: 7 });
          const pump = (): void => {
            while (sent < bytes) {
              const part = Uint8Array.from({ length: Math.min(30_000, bytes - sent) }, (_, i) => at(sent + i));
              const taken = flow.write(part);
              sent += taken;
              if (taken < part.length) return;
            }
            flow.shutdown();
          };
          flow.onConnect = pump;
          flow.onWritable = pump;
          flow.onClose = () => kernel.exit(0);
        },
        { netfront },
      ),
  };
}

test('whatever offloads each end agrees on, the same bytes come, under loss too', async () => {
  const end = fc.record({
    checksumOffload: fc.boolean(),
    gso: fc.boolean(),
    persistentGrants: fc.boolean(),
    mtu: fc.constantFrom(1500, 9000, 65_521),
    lossRate: fc.constantFrom(0, 0, 0.02),
  });
  await fc.assert(
    fc.asyncProperty(end, end, fc.integer({ min: 1, max: 400_000 }), fc.integer(), async (a, b, bytes, seed) => {
      const machine = await createMachine({ cpus: 'virtual', audit: true, memoryMiB: 400, seed: seed >>> 0 });
      const messages: unknown[] = [];
      for (const [name, ip, options] of [
        ['sink', '192.168.8.101/24', a],
        ['source', '192.168.8.102/24', b],
      ] as const) {
        const impair = options.lossRate > 0 ? { impair: { lossRate: options.lossRate, delayUs: 500 } } : {};
        const vifs = [{ ip, mtu: options.mtu, ...impair }];
        const domain = await machine.create({ name, image: image(options, bytes), vifs });
        domain.onMessage = (message) => messages.push(message);
      }
      await machine.run();
      await machine.close();
      expect(messages).toMatchObject([{ seen: bytes, wrong: 0 }]);
    }),
    { numRuns: 20 },
  );
});
