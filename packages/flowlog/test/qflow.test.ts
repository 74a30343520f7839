import { describe, expect, it } from 'vitest';
import {
  CHUNK_MACHINE,
  CHUNK_SACKS,
  CHUNK_SEGMENTS,
  encodeTrace,
  firstSack,
  indexTrace,
  readChunk,
  readTrace,
  SEGMENT_SCHEMA,
  sackBlocks,
  type Trace,
  TraceWriter,
  tableSlice,
  writeTrace,
} from '../src/index.ts';
import { sampleTrace } from './sample-trace.ts';
import { seededRandom } from './seeded-random.ts';

const readOf = (file: Uint8Array) => (offset: number, length: number) => {
  if (offset < 0 || offset + length > file.length) throw new Error(`asked for ${offset}+${length} of ${file.length}`);
  return file.slice(offset, offset + length);
};

/** The rows of every table in a form that toEqual shows well, by `table/id`. */
function rowsOf(trace: Trace): Map<string, string[]> {
  const rows = new Map<string, string[]>();
  const note = (key: string, table: { readonly rows: number }) => {
    const columns = Object.values(table).filter((column) => typeof column !== 'number') as Float64Array[];
    rows.set(
      key,
      Array.from({ length: table.rows }, (_, row) => columns.map((column) => column[row]).join(' ')),
    );
  };
  for (const source of trace.sources) note(`machine/${source.id}`, source.machine);
  for (const flow of trace.flows) {
    note(`segments/${flow.id}`, flow.segments);
    note(`sacks/${flow.id}`, flow.sacks);
    note(`windows/${flow.id}`, flow.windows);
    note(`events/${flow.id}`, flow.events);
  }
  return rows;
}

describe('.qflow', () => {
  it('gives back every column, description and count', () => {
    const trace = sampleTrace(1, 1000);
    const back = readTrace(encodeTrace(trace, 64));
    expect(back).toEqual(trace);
  });

  it('is the same bytes for the same trace, and again after reading', () => {
    const file = encodeTrace(sampleTrace(2));
    expect(encodeTrace(sampleTrace(2))).toEqual(file);
    expect(encodeTrace(readTrace(file))).toEqual(file);
  });

  it('reads from memory at any address', () => {
    const file = encodeTrace(sampleTrace(3));
    const shifted = new Uint8Array(file.length + 3).subarray(3);
    shifted.set(file);
    expect(readTrace(shifted)).toEqual(sampleTrace(3));
  });

  it('is indexed by its headers alone, and read chunk by chunk', async () => {
    const trace = sampleTrace(4, 1000);
    const file = encodeTrace(trace, 128);
    let read = 0;
    const index = await indexTrace((offset, length) => {
      read += length;
      return readOf(file)(offset, length);
    }, file.length);
    expect(index).toMatchObject({ clock: trace.clock, problems: [], isTorn: false });
    expect(index.flows.map((flow) => [flow.id, flow.localPort, flow.mss])).toEqual([
      [7, 32_775, 1448],
      [8, 32_776, 1448],
    ]);
    expect(index.sources[0]).toEqual({ id: 1, name: 'client', kind: 'domain', strings: ['ä fault'] });
    const [flow] = trace.flows;
    const chunks = index.chunks.filter((chunk) => chunk.kind === CHUNK_SEGMENTS && chunk.id === 7);
    expect(chunks.map((chunk) => chunk.rows)).toEqual([128, 128, 128, 128, 128, 128, 128, 104]);
    const chunk = chunks[1]!;
    const payload = readOf(file)(chunk.offset, chunk.bytes);
    const expected = tableSlice(SEGMENT_SCHEMA, flow!.segments, 128, 256);
    expect(readChunk(CHUNK_SEGMENTS, chunk, payload)).toEqual(expected);
    expect([chunk.firstRow, chunk.firstTimeUs, chunk.lastTimeUs]).toEqual([1128, 320, 637.5]);
    const bytes = Object.keys(SEGMENT_SCHEMA).indexOf('bytes');
    expect(chunk.min[bytes]).toBe(Math.min(...expected.bytes));
    expect(chunk.max[bytes]).toBe(Math.max(...expected.bytes));
    payload[5] = payload[5]! ^ 1;
    expect(readChunk(CHUNK_SEGMENTS, chunk, payload)).toBeUndefined();
    expect(read).toBeLessThan(index.chunks.length * 2000 + 4000);
  });

  it('says which version it is of when that is another major one', () => {
    const file = encodeTrace(sampleTrace(5));
    const header = new Uint8Array(40);
    // A writer of version 2 sets its own CRC; take one from a header that was made that way.
    header.set(file.subarray(0, 40));
    header[8] = 2;
    const damaged = new Uint8Array(file);
    damaged.set(header);
    expect(readTrace(damaged).problems[0]).toMatch(/header of the file is damaged/);
    new DataView(damaged.buffer).setUint32(36, crcOf(damaged.subarray(0, 36)), true);
    const trace = readTrace(damaged);
    expect(trace.problems).toEqual(['the flow log is of version 2; this reader knows version 1']);
    expect([trace.flows, trace.sources]).toEqual([[], []]);
  });

  it('counts rows that were recorded and are not there', () => {
    const { flows, clock } = sampleTrace(6);
    const [flow] = flows;
    const pieces: Uint8Array[] = [];
    const writer = new TraceWriter((bytes) => pieces.push(bytes.slice()), { clock });
    const part = (from: number, to: number) => tableSlice(SEGMENT_SCHEMA, flow!.segments, from, to);
    writer.flow(flow!);
    writer.table(CHUNK_SEGMENTS, 7, 1000, part(0, 10));
    writer.table(CHUNK_SEGMENTS, 7, 1030, part(30, 50));
    writer.table(CHUNK_SACKS, 7, 0, flow!.sacks);
    const none = { segments: 0, sacks: 0, windows: 0, events: 0 };
    const recorded = { segments: 1060, sacks: flow!.sacks.rows, windows: 0, events: 9 };
    writer.flow(flow!, { recorded, overwritten: { ...none, segments: 1000 } });
    writer.end();
    const [back] = readTrace(Buffer.concat(pieces)).flows;
    expect(back!.dropped).toEqual({ segments: 30, sacks: 0, windows: 0, events: 9 });
    // The blocks of the segments that are there stay with them; the others' are gone.
    for (let row = 0; row < back!.segments.rows; row++) {
      const original = row < 10 ? row : row + 20;
      const blocks = sackBlocks(flow!.segments.info[original]!);
      expect(sackBlocks(back!.segments.info[row]!)).toBe(blocks);
      for (let block = 0; block < blocks; block++) {
        expect(back!.sacks.left[firstSack(back!, row) + block]).toBe(
          flow!.sacks.left[firstSack(flow!, original) + block],
        );
      }
    }
  });

  it('reads rows whose descriptions were lost', () => {
    const { sources, flows, clock } = sampleTrace(7);
    const pieces: Uint8Array[] = [];
    const writer = new TraceWriter((bytes) => pieces.push(bytes.slice()), { clock });
    writer.table(CHUNK_SEGMENTS, 9, 0, flows[0]!.segments);
    writer.table(CHUNK_MACHINE, 3, 0, sources[0]!.machine);
    writer.end();
    const trace = readTrace(Buffer.concat(pieces));
    expect(trace.flows.map((flow) => [flow.id, flow.segments.rows])).toEqual([[9, 100]]);
    expect(trace.sources.map((source) => source.id)).toEqual([3, 0]);
    expect(trace.problems).toEqual(['the descriptions of 2 flows or sources that have rows are lost']);
  });
});

function crcOf(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/** A file, and where each of its chunks lies. */
function fileWithChunks(seed: number): { file: Uint8Array; extents: { from: number; to: number }[]; trace: Trace } {
  const trace = sampleTrace(seed, 24);
  const sizes: number[] = [];
  writeTrace(trace, (bytes) => sizes.push(bytes.length), 8);
  const extents: { from: number; to: number }[] = [];
  let from = sizes[0]!;
  for (let i = 1; i < sizes.length; i += 2) {
    const to = from + sizes[i]! + sizes[i + 1]!;
    extents.push({ from, to });
    from = to;
  }
  return { file: encodeTrace(trace, 8), extents, trace };
}

/** What the chunks that are still whole hold, by reading a file of these chunks alone. */
function rowsOfWhole(file: Uint8Array, whole: readonly { from: number; to: number }[]): Map<string, string[]> {
  const pieces = [file.subarray(0, 40), ...whole.map(({ from, to }) => file.subarray(from, to))];
  return rowsOf(readTrace(Buffer.concat(pieces)));
}

describe('a damaged .qflow file', () => {
  it('that was cut at any byte gives all that was whole', async () => {
    const { file, extents } = fileWithChunks(1);
    for (let length = 0; length < file.length; length++) {
      const trace = readTrace(file.subarray(0, length));
      expect(trace.problems.length).toBeGreaterThan(0);
      const whole = extents.filter(({ to }) => to <= length);
      if (length % 97 === 0 || whole.some(({ to }) => to === length)) {
        expect(rowsOf(trace)).toEqual(rowsOfWhole(file, whole));
        const index = await indexTrace(readOf(file.subarray(0, length)), length);
        expect(index.isTorn).toBe(true);
      }
    }
    expect(readTrace(file).problems).toEqual([]);
  });

  it('with bytes changed, cut out or put in gives all chunks that are whole', async () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = seededRandom(seed);
      const { file, extents } = fileWithChunks((seed % 5) + 1);
      const at = random(file.length);
      const length = random(3) === 0 ? random(4000) + 1 : random(8) + 1;
      const kind = random(3);
      const to = Math.min(at + length, file.length);
      const noise = Uint8Array.from({ length: kind === 2 ? length : to - at }, () => random(256));
      // Of a byte that is "changed" to itself nobody can tell.
      if (kind === 0)
        noise.forEach((_, i) => {
          noise[i] = file[at + i]! ^ (random(255) + 1);
        });
      const damaged = Buffer.concat([
        file.subarray(0, at),
        kind === 1 ? new Uint8Array(0) : noise,
        file.subarray(kind === 2 ? at : to),
      ]);
      const hit = (extent: { from: number; to: number }) =>
        kind === 2 ? extent.from < at && at < extent.to : extent.from < to && at < extent.to;
      const trace = readTrace(damaged);
      expect(trace.problems.length, `seed ${seed}`).toBeGreaterThan(0);
      const whole = extents.filter((extent) => !hit(extent));
      expect(rowsOf(trace), `seed ${seed}`).toEqual(rowsOfWhole(file, whole));
      await indexTrace(readOf(damaged), damaged.length);
    }
  });

  it('of nothing but noise, or of beginnings of chunks, is read in time and reported', async () => {
    const random = seededRandom(9);
    const noise = Uint8Array.from({ length: 200_000 }, () => random(256));
    expect(readTrace(noise)).toMatchObject({ flows: [], sources: [] });
    const { file, extents } = fileWithChunks(1);
    const table = extents.find(({ from }) => file[from + 4] === CHUNK_SEGMENTS)!;
    const header = file.subarray(table.from, table.from + 64);
    const heads = Buffer.concat(Array.from({ length: 4000 }, () => header));
    let reads = 0;
    const index = await indexTrace((offset, length) => {
      reads++;
      return readOf(heads)(offset, length);
    }, heads.length);
    expect(index.chunks).toEqual([]);
    expect(index.problems.length).toBeLessThan(110);
    expect(reads).toBeLessThan(200);
    expect(readTrace(heads).problems.length).toBeLessThan(110);
  });
});
