import { encodeTrace, indexTrace } from '@qanat/flowlog';
import { expect, test } from 'vitest';
import { BLOCK_BYTES, type BlockFeed, type ByteSource, bytesInMemory } from '../src/view/bytes.ts';
import { ChunkVerifier } from '../src/view/chunk-verifier.ts';
import { Engine } from '../src/view/engine.ts';
import { openQflow } from '../src/view/open-qflow.ts';
import { valueRange } from '../src/view/panel-data.ts';
import { PRESETS } from '../src/view/panels.ts';
import { writeLargeLog } from './support/large-log.ts';
import { modelTrace } from './support/model-trace.ts';

const trace = modelTrace({ segments: 100_000 });
const file = encodeTrace(trace, 2048);

/** A file whose feed spoils every block that is given back. */
function fed(bytes: Uint8Array): ByteSource & { stopped: number } {
  const source = { ...bytesInMemory(bytes), stopped: 0, feed };
  return source;

  function feed(): BlockFeed {
    const verifier = new ChunkVerifier();
    let at = 0;
    return {
      next: async () => {
        const block = bytes.slice(at, at + BLOCK_BYTES);
        at += BLOCK_BYTES;
        return { bytes: block, verified: verifier.take(block) };
      },
      recycle: (block) => block.bytes.fill(0xff),
      stop: () => {
        source.stopped++;
      },
    };
  }
}

async function scanned(source: ByteSource, smallBytes?: number): Promise<Engine> {
  const engine = new Engine(await openQflow(source, smallBytes));
  await engine.scan();
  return engine;
}

/** Lowest and highest value of every panel, over all and over a part. */
async function values(engine: Engine): Promise<unknown[]> {
  const [first, last] = engine.range;
  const found: unknown[] = [[first, last]];
  for (const { kind } of PRESETS['all']!.panels) {
    for (const [from, to] of [
      [0, 1],
      [0.4, 0.42],
    ] as const) {
      const t0 = first + (last - first) * from;
      const t1 = first + (last - first) * to;
      const data = await engine.panel({ kind, flows: [0], direction: 0 }, { t0, t1, columns: 700 });
      found.push([kind, from, valueRange(data, t0, t1)]);
    }
  }
  return found;
}

test('a log that is read while it is opened gives the same pictures as one that is read at once', async () => {
  expect(file.length).toBeGreaterThan(2 * BLOCK_BYTES);
  const atOnce = await scanned(bytesInMemory(file), Number.POSITIVE_INFINITY);
  const source = fed(file);
  const growing = await scanned(source, 0);
  expect(growing.complete).toBe(true);
  expect(source.stopped).toBeGreaterThan(0);
  expect(growing.store.problems).toEqual([]);
  const want = await values(atOnce);
  expect(await values(growing)).toEqual(want);
  // A server or a disk without a feed does it too.
  expect(await values(await scanned(bytesInMemory(file), 0))).toEqual(want);
});

test('it is known when such a log ends before it was read', async () => {
  const engine = new Engine(await openQflow(fed(file), 0));
  const { machine, segments } = { machine: trace.sources[0]!.machine, segments: trace.flows[0]!.segments };
  const last = Math.max(machine.timeUs[machine.rows - 1]!, segments.timeUs[segments.rows - 1]!);
  expect(engine.complete).toBe(false);
  expect(engine.range[1]).toBeGreaterThan(last * 0.99);
});

test('a view of all of a log does not ask for the rows of its start a second time while the rest comes', async () => {
  const pieces: Uint8Array[] = [];
  writeLargeLog(600_000, (piece) => pieces.push(piece.slice()));
  const source = fed(new Uint8Array(Buffer.concat(pieces)));
  let asked = 0;
  const engine = new Engine(
    await openQflow({
      ...source,
      read: (offset, length) => {
        asked++;
        return source.read(offset, length);
      },
    }),
  );
  const look = (t0: number, t1: number): Promise<unknown> =>
    engine.panel({ kind: 'sequence', flows: [0], direction: 0 }, { t0, t1, columns: 700 });
  let looks = 0;
  await engine.scan(async (done) => {
    if (looks > 0 || done < 0.2) return;
    looks++;
    const [first, last] = engine.range;
    const before = asked;
    await look(first, last);
    expect(asked).toBe(before);
    // Closer, all that is in view has come: its rows are looked at, as ever.
    await look(first, first + (last - first) / 1000);
    expect(asked).toBeGreaterThan(before);
  });
  expect(looks).toBe(1);
});

test('a large log has the rows that are asked for, to 1 %', () => {
  for (const rows of [100_000, 300_000]) {
    const written = writeLargeLog(rows, () => {});
    expect(Math.abs(written - rows)).toBeLessThan(rows / 100);
  }
});

test('such a log that is damaged or torn shows what is whole, as one that is read at once', async () => {
  const damaged = file.slice();
  damaged.fill(0x55, 1_000_000, 1_200_000);
  const payload = (await indexTrace((offset, length) => file.subarray(offset, offset + length), file.length)).chunks;
  damaged[payload[20]!.offset + 77]! ^= 1;
  for (const bytes of [damaged, file.subarray(0, file.length - 3_000_001)]) {
    const atOnce = await scanned(bytesInMemory(bytes), Number.POSITIVE_INFINITY);
    const growing = await scanned(fed(bytes), 0);
    expect(atOnce.store.problems.length).toBeGreaterThan(0);
    expect(growing.store.problems.toSorted()).toEqual(atOnce.store.problems.toSorted());
    expect(await values(growing)).toEqual(await values(atOnce));
  }
});

test('a feed that fails leaves what was read, and says why', async () => {
  const source = fed(file);
  const feed = source.feed;
  const engine = await scanned(
    {
      ...source,
      feed: () => {
        const blocks = feed();
        let left = 2;
        return {
          ...blocks,
          next: () => (left-- > 0 ? blocks.next() : Promise.reject(new Error('the server is gone'))),
        };
      },
    },
    0,
  );
  expect(engine.complete).toBe(true);
  expect(engine.store.problems).toContain('the server is gone');
  expect(engine.flows[0]!.store.segments.rows + engine.sources[0]!.store.machine.rows).toBeGreaterThan(0);
});

test('payloads that pass by are verified in pieces of any size, up to the first place without a chunk', async () => {
  const small = encodeTrace(modelTrace({ segments: 300 }), 128);
  const read = (offset: number, length: number): Uint8Array => small.subarray(offset, offset + length);
  const { chunks } = await indexTrace(read, small.length);
  const verified = (bytes: Uint8Array, size: number): Set<number> => {
    const verifier = new ChunkVerifier();
    const found = new Set<number>();
    for (let at = 0; at < bytes.length; at += size) {
      for (const offset of verifier.take(bytes.subarray(at, at + size))) found.add(offset);
    }
    return found;
  };
  for (const size of [1, 5, 64, 4096, small.length]) {
    const found = verified(small, size);
    expect(chunks.every(({ offset }) => found.has(offset))).toBe(true);
  }
  const third = chunks[3]!.offset;
  const spoiled = small.slice();
  spoiled[third + 8]! ^= 4;
  expect(verified(spoiled, 1000).has(third)).toBe(false);
  expect(verified(spoiled, 1000).has(chunks[4]!.offset)).toBe(true);
  const lost = small.slice();
  lost.fill(0, chunks[4]!.offset - 300, chunks[4]!.offset);
  expect([...verified(lost, 1000)].every((offset) => offset < chunks[4]!.offset)).toBe(true);
});
