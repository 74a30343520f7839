import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StackOptions } from '../src/index.ts';
import { createPair } from './pair.ts';

const SECOND = 1_000_000;

interface Outcome {
  readonly bytes: number;
  readonly wrong: number;
  readonly closed: boolean;
  /** Packets that the sender's device was given. */
  readonly packets: number;
  readonly segments: number;
}

/** Sends `bytes` from a to b over a pipe, in writes of `chunk`, and ends it. */
function carry(
  pipe: Parameters<typeof createPair>[0],
  bytes: number,
  chunk: number,
  tcp: StackOptions['tcp'] = {},
): Outcome {
  const pair = createPair(pipe, { tcp });
  let seen = 0;
  let wrong = 0;
  let closed = false;
  const buffer = new Uint8Array(1 << 16);
  const at = (i: number): number => (i * 31 + (i >>> 8) + (i >>> 16)) & 0xff;
  pair.b.listen({
    port: 5001,
    onFlow: (flow) => {
      flow.onReadable = () => {
        for (let n = flow.read(buffer); n > 0; n = flow.read(buffer)) {
          for (let i = 0; i < n; i++) if (buffer[i] !== at(seen + i)) wrong++;
          seen += n;
        }
      };
      flow.onEnd = () => flow.close();
      flow.onClose = (error) => {
        closed = error === undefined;
      };
    },
  });
  const flow = pair.a.connect({ host: pair.addressB, port: 5001 });
  let sent = 0;
  const pump = (): void => {
    while (sent < bytes) {
      const want = Math.min(chunk, bytes - sent);
      const part = new Uint8Array(want);
      for (let i = 0; i < want; i++) part[i] = at(sent + i);
      const taken = flow.write(part);
      sent += taken;
      if (taken < want) return;
    }
    flow.shutdown();
  };
  flow.onConnect = pump;
  flow.onWritable = pump;
  flow.onEnd = () => flow.close();
  pair.time.run(pair.time.clock.now() + 300 * SECOND);
  const [face] = pair.a.interfaces;
  return { bytes: seen, wrong, closed, packets: face!.stats.txFrames, segments: pair.a.tcp.stats.OutSegs };
}

describe('offloads on a pipe', () => {
  it('super-segments need far fewer packets, and carry the same', () => {
    const plain = carry({}, 4_000_000, 65_536);
    const blank = carry({ offload: { checksum: true } }, 4_000_000, 65_536);
    const gso = carry({ offload: { checksum: true, gso: true } }, 4_000_000, 65_536);
    for (const { bytes, wrong, closed } of [plain, blank, gso]) {
      expect([bytes, wrong, closed]).toEqual([4_000_000, 0, true]);
    }
    expect(plain.segments).toBeGreaterThan(2700);
    expect(gso.segments).toBeGreaterThan(2700);
    expect(blank.packets).toBeGreaterThan(2700);
    expect(gso.packets).toBeLessThan(400);
  });

  it('give the same bytes under loss, reordering, duplication and corruption, whatever the sizes', () => {
    fc.assert(
      fc.property(
        fc.record({
          seed: fc.integer({ min: 1, max: 1e6 }),
          loss: fc.constantFrom(0, 0.01, 0.05),
          chaos: fc.constantFrom(0, 0.02),
          delayUs: fc.constantFrom(0, 2000, 20_000),
          bytes: fc.integer({ min: 1, max: 300_000 }),
          chunk: fc.integer({ min: 200, max: 40_000 }),
          mtu: fc.constantFrom(576, 1500, 9000),
          mss: fc.constantFrom(0, 200),
          gso: fc.boolean(),
          rcvBuf: fc.constantFrom(4096, 65_536, 1 << 20),
          pacing: fc.boolean(),
        }),
        ({ seed, loss, chaos, delayUs, bytes, chunk, mtu, mss, gso, rcvBuf, pacing }) => {
          const impair = {
            seed,
            lossRate: loss,
            duplicateRate: chaos,
            corruptRate: chaos,
            ...(delayUs > 0 ? { delayUs, jitterUs: chaos > 0 ? delayUs / 4 : 0 } : {}),
          };
          const tcp = { rcvBuf, pacing, ...(mss > 0 ? { mss } : {}) };
          const result = carry({ mtu, impair, offload: { checksum: true, gso } }, bytes, chunk, tcp);
          expect([result.bytes, result.wrong, result.closed]).toEqual([bytes, 0, true]);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('gives every packet on an impaired link its checksum and its size, as a cable would carry it', () => {
    // Corruption would go unseen if checksums stayed blank.
    const seen = carry(
      { offload: { checksum: true, gso: true }, impair: { corruptRate: 0.05, seed: 3 } },
      500_000,
      30_000,
    );
    expect([seen.bytes, seen.wrong]).toEqual([500_000, 0]);
  });
});
