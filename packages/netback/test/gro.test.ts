import { PACKET_DATA_VALIDATED } from '@qanat/bytes';
import { macHi, macLo, writeHeader as writeEthernet } from '@qanat/ethernet';
import { checkHeader, FLAG_DF, HEADER_OK, writeHeader } from '@qanat/ipv4';
import { finishChecksum } from '@qanat/link';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pattern, type Station, TestMachine } from './machine.ts';

const [SRC, DST] = [0x0a00_0001, 0x0a00_0002];
const [ACK, PSH, FIN] = [16, 8, 1];

interface Segment {
  readonly seq: number;
  readonly payload: number;
  readonly port?: number;
  readonly flags?: number;
  readonly stamp?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly tos?: number;
  readonly ttl?: number;
  /** A byte is wrong on the way. */
  readonly torn?: boolean;
  readonly fragment?: boolean;
}

/** Sends a TCP segment with 12 bytes of options and its checksum. */
function send(from: Station, to: Station, segment: Segment): void {
  const { seq, payload, port = 80, flags = ACK, stamp = 7, ack = 5, window = 500, tos = 0, ttl = 64 } = segment;
  const netif = from.netif!;
  const packet = netif.allocate(66 + payload)!;
  const { memory } = from.kernel;
  const { view } = memory;
  const { addr } = packet;
  writeEthernet(memory, addr, macHi(to.mac), macLo(to.mac), macHi(netif.mac), macLo(netif.mac), 0x0800);
  writeHeader(memory, addr + 14, 52 + payload, 0, segment.fragment ? 0x2000 : FLAG_DF, ttl, 6, SRC, DST, tos);
  view.setInt32(addr + 34, (5001 << 16) | port);
  view.setInt32(addr + 38, seq);
  view.setInt32(addr + 42, ack);
  view.setInt32(addr + 46, (((32 << 10) | flags) << 16) | window);
  view.setInt32(addr + 50, 0);
  view.setInt32(addr + 54, 0x0101_080a);
  view.setInt32(addr + 58, stamp);
  view.setInt32(addr + 62, 1);
  memory.u8.set(pattern(payload, seq), addr + 66);
  finishChecksum(memory, addr, 66 + payload);
  if (segment.torn) memory.u8[addr + 65 + payload]! ^= 1;
  netif.transmit(packet);
}

interface Came {
  readonly port: number;
  readonly seq: number;
  readonly bytes: Uint8Array;
  readonly flags: number;
  readonly gsoSize: number;
  readonly validated: boolean;
}

async function carry(segments: readonly Segment[], gro = true): Promise<Came[]> {
  const machine = await TestMachine.create({ memoryMiB: 48 });
  const a = await machine.station('a', {}, { checksumOffload: false });
  const b = await machine.station('b', {}, { gro });
  const came: Came[] = [];
  b.onFrame = (packet) => {
    const { memory } = b.kernel;
    const { bytes } = b.frames.pop()!;
    const view = new DataView(bytes.buffer);
    expect(checkHeader(memory, packet.addr + 14, packet.headLen - 14, packet.len - 14)).toBe(HEADER_OK);
    expect(view.getUint16(16)).toBe(packet.len - 14);
    came.push({
      port: view.getUint16(36),
      seq: view.getInt32(38),
      bytes: bytes.slice(66),
      flags: bytes[47]!,
      gsoSize: packet.gsoSize,
      validated: (packet.flags & PACKET_DATA_VALIDATED) !== 0,
    });
  };
  a.run(() => {
    for (const segment of segments) send(a, b, segment);
    a.netif!.flush();
  });
  await machine.pass(5);
  expect(machine.errors).toEqual([]);
  expect(b.netfront.counters!.rx.packets).toBe(segments.length);
  return came;
}

const run = (count: number, change: (i: number) => Partial<Segment> = () => ({})): Segment[] =>
  Array.from({ length: count }, (_, i) => ({ seq: 1000 + i * 100, payload: 100, ...change(i) }));

describe('GRO', () => {
  it('makes one packet of segments that follow each other', async () => {
    const [one, ...rest] = await carry(run(10));
    expect(rest).toEqual([]);
    expect([one!.seq, one!.bytes.length, one!.gsoSize, one!.validated]).toEqual([1000, 1000, 100, true]);
    for (let i = 0; i < 10; i++) {
      expect(one!.bytes.subarray(i * 100, i * 100 + 100)).toEqual(pattern(100, 1000 + i * 100));
    }
  });

  it('ends one at what is shorter, at PSH, and at as many fragments as a packet has', async () => {
    const short = await carry([...run(3), { seq: 1300, payload: 40 }, { seq: 1340, payload: 100 }]);
    expect(short.map(({ bytes }) => bytes.length)).toEqual([340, 100]);
    const push = await carry(run(6, (i) => (i === 2 ? { flags: ACK | PSH } : {})));
    expect(push.map(({ bytes, flags }) => [bytes.length, flags])).toEqual([
      [300, ACK | PSH],
      [300, ACK],
    ]);
    expect((await carry(run(40))).map(({ bytes }) => bytes.length)).toEqual([1900, 1900, 200]);
  });

  it.each<[string, Partial<Segment>]>([
    ['another flow', { port: 81 }],
    ['a hole before it', { seq: 5000 }],
    ['another acknowledgment', { ack: 6 }],
    ['another window', { window: 501 }],
    ['another timestamp', { stamp: 8 }],
    ['other marks of congestion', { tos: 3 }],
    ['another TTL', { ttl: 63 }],
    ['more bytes', { payload: 101 }],
    ['no bytes', { payload: 0 }],
    ['a FIN', { flags: ACK | FIN }],
    ['a bad checksum', { torn: true }],
    ['more fragments', { fragment: true }],
  ])('leaves a segment alone that has %s', async (_name, change) => {
    const came = await carry(run(3, (i) => (i === 2 ? change : {})));
    expect(came.map(({ gsoSize }) => gsoSize)).toEqual([100, 0]);
    expect(came[1]!.validated).toBe(change.torn !== true && change.payload !== 0 && !change.fragment && !change.flags);
  });

  it('changes no byte and no order, whatever comes', async () => {
    const segment = fc.record({
      follows: fc.integer({ min: 0, max: 9 }).map((n) => n > 1),
      port: fc.constantFrom(80, 80, 80, 80, 81),
      payload: fc.constantFrom(100, 100, 100, 100, 60, 1400),
      flags: fc.constantFrom(ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN),
      torn: fc.integer({ min: 0, max: 15 }).map((n) => n === 0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(segment, { minLength: 1, maxLength: 60 }), async (parts) => {
        const next = new Map<number, number>([
          [80, 1],
          [81, 0x7fff_fff0],
        ]);
        const segments = parts.map(({ follows, torn, ...rest }) => {
          const seq = next.get(rest.port)! + (follows ? 0 : 1000);
          next.set(rest.port, (seq + rest.payload) | 0);
          return { ...rest, torn, seq: seq | 0 };
        });
        // Runs that touch are the same however they are cut.
        const joined = (came: Came[]): unknown[] => {
          const out: { port: number; seq: number; end: number; bytes: number[] }[] = [];
          for (const { port, seq, bytes } of came) {
            const last = out.at(-1);
            if (last?.port === port && last.end === seq) {
              last.bytes.push(...bytes);
              last.end = (last.end + bytes.length) | 0;
            } else {
              out.push({ port, seq, end: (seq + bytes.length) | 0, bytes: [...bytes] });
            }
          }
          return out;
        };
        const [on, off] = [await carry(segments), await carry(segments, false)];
        expect(joined(on)).toEqual(joined(off));
        expect(on.filter(({ flags }) => flags & FIN).length).toBe(off.filter(({ flags }) => flags & FIN).length);
      }),
      { numRuns: 15 },
    );
  });
});
