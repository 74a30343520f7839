/** What holds for every reader there is, whatever the format: found by FORMATS, so that a new one is not forgotten. */
import { describe, expect, it } from 'vitest';
import { crc32, FORMATS, readAny, type Trace } from '../../src/index.ts';
import {
  CHUNK_COLUMNS,
  CHUNK_HEADER_CRC,
  CHUNK_PAYLOAD_BYTES,
  CHUNK_ROWS,
  chunkHeaderCrc,
  FILE_LENGTH,
} from '../../src/qflow-layout.ts';
import { sampleTrace } from '../sample-trace.ts';
import { seededRandom } from '../seeded-random.ts';
import { block, interfaceBlock, ipPacket, LINKS, packetBlock, pcapFile, sectionBlock } from './frames.ts';
import { read, write } from './pieces.ts';

/** They are many reads: a busy computer may take its time. */
const TIMEOUT_MS = 60_000;
const READERS = FORMATS.filter((format) => format.read !== undefined).map(({ name }) => name);

/** A small file of each format. */
function sample(name: string): Uint8Array {
  if (name !== 'pcap') return write(name, sampleTrace(1, 4));
  const { head } = LINKS['ethernet']!;
  const bytes = [...head, ...ipPacket({ from: '10.0.0.1', to: '10.0.0.2', fromPort: 1, toPort: 2, payload: 9 })];
  return pcapFile(Array.from({ length: 8 }, (_, i) => ({ seconds: 1_700_000_000 + i, fraction: i, bytes })));
}

/** Bytes of all arrays of a trace, as much as is held for them. */
function memoryOf(trace: Trace): number {
  const buffers = new Set<ArrayBufferLike>();
  const visit = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) buffers.add(value.buffer);
    else if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) visit(each);
  };
  visit(trace);
  return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0);
}

/** A file of `length` bytes may need so much: rows are smaller in a file than in a table that has grown, but not by more. */
const allowed = (length: number) => 100_000 + 200 * length;

function rowsOf({ flows, sources }: Trace): number {
  const ofFlows = flows.map(({ segments, windows, events }) => segments.rows + windows.rows + events.rows);
  return [...ofFlows, ...sources.map(({ machine }) => machine.rows)].reduce((sum, rows) => sum + rows, 0);
}

function check(name: string, what: string, bytes: Uint8Array, most = Number.POSITIVE_INFINITY): Trace {
  const trace = read(name, bytes);
  // The bytes themselves may be held, as those of captured frames are.
  const memory = memoryOf(trace);
  if (memory > allowed(bytes.length)) expect([name, what, memory]).toEqual([name, what, allowed(bytes.length)]);
  if (rowsOf(trace) > most) expect([name, what, rowsOf(trace)]).toEqual([name, what, most]);
  return trace;
}

describe.each(READERS)('the reader of %s', { timeout: TIMEOUT_MS }, (name) => {
  const file = sample(name);
  const rows = rowsOf(read(name, file));

  it('reads its sample without a problem', () => {
    expect(rows).toBeGreaterThan(2);
    expect(read(name, file).problems).toEqual([]);
  });

  it('takes a file that was cut at any byte: never more, and in the end all', () => {
    let before = 0;
    for (let length = 0; length <= file.length; length++) {
      const found = rowsOf(check(name, `${length} bytes`, file.subarray(0, length), rows));
      if (found < before) expect([length, found]).toEqual([length, before]);
      before = found;
    }
    expect(before).toBe(rows);
  });

  it('takes bytes that were changed, cut out, doubled or put in, in bounded memory', () => {
    const random = seededRandom(5);
    for (let run = 0; run < 400; run++) {
      let damaged = file.slice();
      for (let i = random(12); i >= 0; i--) damaged[random(damaged.length)] = random(256);
      const [from, to] = [random(file.length), random(file.length)];
      if (run % 4 === 1) damaged = Uint8Array.from([...damaged.subarray(0, from), ...damaged.subarray(to)]);
      if (run % 4 === 2) damaged.fill(0xff, from, Math.min(from + 8, to));
      if (run % 4 === 3) damaged = damaged.map((byte, at) => (at >= from && at < to ? random(256) : byte));
      check(name, `run ${run}`, damaged);
    }
  });

  it('takes files of the other formats, and noise', () => {
    for (const other of READERS) if (other !== name) check(name, `a file of ${other}`, sample(other));
    const random = seededRandom(6);
    for (let run = 0; run < 50; run++)
      check(
        name,
        'noise',
        Uint8Array.from({ length: 2000 }, () => random(256)),
      );
  });
});

describe('lengths that are lies', { timeout: TIMEOUT_MS }, () => {
  const encode = (text: string) => new TextEncoder().encode(text);

  it('of qflow: rows and bytes beyond the file, in headers whose checksums are right', () => {
    const file = sample('qflow');
    const view = new DataView(file.buffer);
    for (const field of [CHUNK_ROWS, CHUNK_PAYLOAD_BYTES, CHUNK_COLUMNS]) {
      for (const value of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff]) {
        for (let at = view.getUint32(FILE_LENGTH, true); at < file.length; ) {
          const lying = file.slice();
          const headerBytes = view.getUint32(at + 20, true);
          const header = lying.subarray(at, at + headerBytes);
          const headerView = new DataView(lying.buffer, at, headerBytes);
          headerView.setUint32(field, value, true);
          headerView.setUint32(CHUNK_HEADER_CRC, chunkHeaderCrc(header, crc32), true);
          check('qflow', `field ${field} = ${value} at ${at}`, lying);
          at += headerBytes + view.getUint32(at + CHUNK_PAYLOAD_BYTES, true);
        }
      }
    }
  });

  it('of pcap and pcapng: packets and blocks beyond the file', () => {
    const bytes = new Array<number>(60).fill(0);
    for (const value of [0, 8, 12, 0x7fff_ffff, 0xffff_fffc, 0xffff_ffff]) {
      const pcap = pcapFile([1, 2, 3].map((seconds) => ({ seconds, fraction: 0, bytes })));
      const ofPcap = new DataView(pcap.buffer);
      for (const at of [16, 24 + 8, 24 + 12]) {
        ofPcap.setUint32(at, value, true);
        check('pcap', `${value} at ${at}`, pcap);
      }
      const packets = [...packetBlock(true, 0, 5n, bytes), ...packetBlock(true, 0, 6n, bytes)];
      const pcapng = Uint8Array.from([...sectionBlock(true), ...interfaceBlock(true, 1), ...packets]);
      for (let at = 0; at + 4 <= pcapng.length; at += 4) {
        const lying = pcapng.slice();
        new DataView(lying.buffer).setUint32(at, value, true);
        check('pcapng', `${value} at ${at}`, lying);
      }
    }
    const many = Array.from({ length: 3000 }, () => interfaceBlock(true, 1)).flat();
    check('pcapng', 'interfaces', Uint8Array.from([...sectionBlock(true), ...many, ...block(true, 6, [])]));
  });

  it('of text: numbers without end, lines without end, names of flows without end', () => {
    const digits = '9'.repeat(300_000);
    const details = '1 '.repeat(100_000);
    const time = 'Time=0.000001, Delay=0.000000, Op=TX, Kind=SEG, details=';
    for (const text of [`${time}[${digits} 1] \n`, `${time}[${details}] \n`, `Time=${digits}`, `${time}[1 2`]) {
      check('2013', text.slice(0, 80), encode(text));
    }
    const flows = (text: (id: number) => string) => Array.from({ length: 5000 }, (_, id) => text(id)).join('\n');
    const lines = [
      `{"type":"segment","flow":${digits},"timeUs":1}`,
      `{"type":"segment","flow":1,"timeUs":${digits},"order":1}`,
      `{"type":"flow","id":1,"firstSegment":1e300}\n{"type":"segment","flow":1,"timeUs":1,"sacks":[[1,2],[3]]}`,
      '['.repeat(100_000),
      '{"type":'.repeat(50_000),
      flows((id) => `{"type":"flow","id":${id}}`),
      flows((id) => `{"type":"event","flow":${id},"timeUs":1}`),
      flows((id) => `{"type":"machine","source":${id},"timeUs":1}`),
      flows((id) => `{"type":"source","id":${id},"strings":[${id}]}`),
    ];
    for (const text of lines) check('jsonl', text.slice(0, 80), encode(text));
    // Rows of flows that no line describes: so many that it can be no accident.
    expect(read('jsonl', lines[6]!).flows.length).toBeLessThan(100);
  });

  it('are told in words when a whole file is of no use', () => {
    for (const name of READERS) {
      const noise = Uint8Array.from({ length: 500 }, (_, i) => (i * 7 + 1) % 251);
      expect([name, read(name, noise).problems.length > 0]).toEqual([name, true]);
    }
    expect(() => readAny(new Uint8Array(9), 'a.csv')).toThrow(/only written/);
  });
});
