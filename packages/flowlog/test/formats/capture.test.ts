import { describe, expect, it } from 'vitest';
import {
  firstSack,
  isReceived,
  otherFrames,
  REASON_FAST,
  REASON_NONE,
  REASON_OTHER,
  REASON_PROBE,
  REASON_SYN,
  sackBlocks,
  segmentReason,
  type Trace,
} from '../../src/index.ts';
import { seededRandom } from '../seeded-random.ts';
import {
  Bytes,
  block,
  type CapturedPacket,
  interfaceBlock,
  ipPacket,
  LINKS,
  type PacketFields,
  packetBlock,
  pcapFile,
  sectionBlock,
} from './frames.ts';
import { read, write } from './pieces.ts';

const SYN_OPTIONS = [2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
const STAMPS = [1, 1, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 9];
const CLIENT: PacketFields = { from: '10.0.0.1', to: '10.0.0.2', fromPort: 40_000, toPort: 80 };
const SERVER: PacketFields = { from: '10.0.0.2', to: '10.0.0.1', fromPort: 80, toPort: 40_000 };

const frame = (fields: PacketFields) => [...LINKS['ethernet']!.head, ...ipPacket(fields)];
const at = (us: number, fields: PacketFields): CapturedPacket => {
  const total = 1_700_000_000_000_000 + us;
  return { seconds: Math.floor(total / 1e6), fraction: total % 1e6, bytes: frame(fields) };
};

/** A handshake, three segments, one of them twice, acknowledgments with SACK, and an ARP. */
const CONVERSATION: readonly CapturedPacket[] = [
  at(0, { ...CLIENT, seq: 100, ack: 0, flags: 0x02, options: SYN_OPTIONS }),
  at(1000, { ...SERVER, seq: 0xffff_fff0, ack: 101, flags: 0x12, options: SYN_OPTIONS }),
  at(1001, { ...CLIENT, seq: 101, ack: 0xffff_fff1, options: STAMPS }),
  { seconds: 1_700_000_000, fraction: 1500, bytes: [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 6, 0, 1] },
  at(2000, { ...SERVER, seq: 0xffff_fff1, ack: 101, payload: 1000, options: STAMPS }),
  at(2001, { ...SERVER, seq: 985, ack: 101, payload: 1000, options: STAMPS, flags: 0x18 }),
  at(9000, { ...CLIENT, seq: 101, ack: 0xffff_fff1, options: [1, 1, 5, 10, 0, 0, 3, 0xd9, 0, 0, 7, 0xc1] }),
  at(9500, { ...SERVER, seq: 0xffff_fff1, ack: 101, payload: 1000, options: STAMPS }),
  at(9900, { ...CLIENT, seq: 101, ack: 1985, options: STAMPS }),
];

function checkConversation(trace: Trace): void {
  expect(trace.problems).toEqual([]);
  expect(trace.flows).toHaveLength(1);
  const flow = trace.flows[0]!;
  // The server sent the data: the trace is from its side.
  expect(flow).toMatchObject({
    localAddress: 0x0a00_0002,
    localPort: 80,
    remoteAddress: 0x0a00_0001,
    remotePort: 40_000,
    active: false,
    iss: -16,
    irs: 100,
    sndShift: 7,
    rcvShift: 7,
    mss: 1448,
  });
  const { segments } = flow;
  expect(segments.rows).toBe(8);
  expect([...segments.info].map(isReceived)).toEqual([true, false, true, false, false, true, false, true]);
  expect([...segments.info].map(segmentReason)).toEqual([0, 0, 0, 0, 0, 0, REASON_OTHER, 0]);
  expect([...segments.bytes]).toEqual([0, 0, 0, 1000, 1000, 0, 1000, 0]);
  expect([...segments.seq.slice(3, 5)]).toEqual([-15, 985]);
  expect([segments.tsVal[2], segments.tsEcr[2]]).toEqual([-1, 9]);
  expect(sackBlocks(segments.info[5]!)).toBe(1);
  const sack = firstSack(flow, 5);
  expect([flow.sacks.left[sack], flow.sacks.right[sack]]).toEqual([985, 1985]);
  expect(flow.events.rows).toBe(2);
  expect(otherFrames(trace)).toBe(1);
  expect([...trace.frames!.segment.slice(4)]).toEqual([3, 4, 5, 6, 7]);
}

describe('pcap', () => {
  it('is read in both byte orders, with micro- and nanoseconds, and as Linux once patched it', () => {
    for (const little of [true, false]) {
      for (const magic of [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34]) {
        const nano = magic === 0xa1b2_3c4d;
        const packets = CONVERSATION.map((packet) => {
          return { ...packet, fraction: nano ? packet.fraction * 1000 + 7 : packet.fraction };
        });
        const trace = read('pcap', pcapFile(packets, { little, magic }));
        checkConversation(trace);
        expect(trace.clock).toEqual({ unixEpochUs: 1_700_000_000_000_000, resolutionUs: nano ? 0.001 : 1 });
        const offset = nano ? 0.007 : 0;
        expect([...trace.flows[0]!.segments.timeUs].map((us) => us - offset).map(Math.round)).toEqual([
          ...[0, 1000, 1001, 2000, 2001, 9000, 9500, 9900],
        ]);
        if (nano) expect(trace.flows[0]!.segments.timeUs[3]).toBe(2000.007);
      }
    }
  });

  it('is read for every link type that carries IPv4', () => {
    for (const [name, { type, head }] of Object.entries(LINKS)) {
      const bytes = [...head, ...ipPacket({ ...CLIENT, payload: 5 })];
      const trace = read('pcap', pcapFile([{ seconds: 1, fraction: 2, bytes }], { linkType: type }));
      expect([name, trace.flows.length, trace.flows[0]?.segments.bytes[0]]).toEqual([name, 1, 5]);
    }
    const ipv6 = [...LINKS['ethernet']!.head.slice(0, 12), 0x86, 0xdd, 0x60, ...new Array<number>(60).fill(0)];
    const other = read('pcap', pcapFile([{ seconds: 1, fraction: 2, bytes: ipv6 }]));
    expect([other.flows.length, otherFrames(other)]).toEqual([0, 1]);
  });

  it('cut short by a snap length tells the payload that was there', () => {
    const bytes = frame({ ...CLIENT, payload: 1000, options: STAMPS }).slice(0, 54);
    const trace = read('pcap', pcapFile([{ seconds: 1, fraction: 0, bytes, original: 1066 }]));
    expect(trace.flows[0]!.segments.bytes[0]).toBe(1000);
  });

  it('with length 0 in IPv4 (a segment for the device to cut up) tells its payload', () => {
    const bytes = frame({ ...CLIENT, payload: 100 });
    bytes[16] = bytes[17] = 0;
    const trace = read('pcap', pcapFile([{ seconds: 1, fraction: 0, bytes, original: 70_054 }]));
    expect(trace.flows[0]!.segments.bytes[0]).toBe(70_000);
  });

  it('cut at any byte gives every packet that was whole', () => {
    const file = pcapFile(CONVERSATION);
    const ends: number[] = [];
    let end = 24;
    for (const { bytes } of CONVERSATION) ends.push((end += 16 + bytes.length));
    for (let length = 0; length <= file.length; length++) {
      const trace = read('pcap', file.subarray(0, length));
      const whole = ends.filter((each) => each <= length).length;
      const isTorn = length !== 24 && !ends.includes(length);
      if ((trace.frames?.rows ?? 0) !== whole || trace.problems.length > 0 !== isTorn) {
        expect([length, trace.frames?.rows, trace.problems]).toEqual([length, whole, isTorn]);
      }
    }
  });

  it('damaged anywhere gives the packets before and after, and never throws', () => {
    const random = seededRandom(1);
    const packets = Array.from({ length: 60 }, (_, i) => at(i * 1000, { ...CLIENT, seq: i * 100, payload: 100 }));
    const file = pcapFile(packets);
    for (let run = 0; run < 300; run++) {
      const damaged = file.slice();
      for (let i = 1 + random(4); i > 0; i--) damaged[24 + random(file.length - 24)] = random(256);
      expect(read('pcap', damaged).frames!.rows).toBeGreaterThanOrEqual(60 - 4 * 3);
      for (let i = 0; i < 200; i++) damaged[random(file.length)] = random(256);
      read('pcap', damaged);
    }
  });
});

describe('pcapng', () => {
  const captured = (little: boolean) => [
    ...sectionBlock(little),
    ...interfaceBlock(little, 1, [[9, [9]]]),
    ...CONVERSATION.flatMap(({ seconds, fraction, bytes }) =>
      packetBlock(little, 0, BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * 1000n, bytes),
    ),
  ];

  it('is read in both byte orders, and several sections in one file', () => {
    for (const little of [true, false]) checkConversation(read('pcapng', Uint8Array.from(captured(little))));
    const both = read('pcapng', Uint8Array.from([...captured(true), ...captured(false)]));
    expect(both.frames!.rows).toBe(2 * CONVERSATION.length);
    expect(both.problems).toEqual([]);
  });

  it('is read with any resolution and offset of the clock, interface by interface', () => {
    const bytes = frame(CLIENT);
    const seconds = 1_700_000_000n;
    const clocks: readonly [string, readonly [number, readonly number[]][], bigint, number][] = [
      ['none said: microseconds', [], seconds * 1_000_000n + 250_000n, 250_000],
      ['milliseconds', [[9, [3]]], seconds * 1000n + 250n, 250_000],
      ['seconds', [[9, [0]]], seconds + 3n, 3_000_000],
      ['nanoseconds', [[9, [9]]], seconds * 1_000_000_000n + 250_000_123n, 250_000.123],
      ['2^-20 s', [[9, [0x80 | 20]]], seconds * 2n ** 20n + 2n ** 18n, 250_000],
      ['2^-32 s', [[9, [0x80 | 32]]], seconds * 2n ** 32n + 2n ** 30n, 250_000],
    ];
    for (const [name, options, ticks, expected] of clocks) {
      const file = [
        ...sectionBlock(true),
        ...interfaceBlock(true, 1, [[9, [6]]]),
        ...interfaceBlock(true, 1, options),
        ...packetBlock(true, 0, seconds * 1_000_000n, bytes),
        ...packetBlock(true, 1, ticks, bytes),
      ];
      const trace = read('pcapng', Uint8Array.from(file));
      expect([name, trace.flows[0]!.segments.timeUs[1], trace.problems]).toEqual([name, expected, []]);
      expect(trace.clock.unixEpochUs).toBe(1_700_000_000_000_000);
    }
    // if_tsoffset: seconds that are added to every stamp.
    const offset = [
      ...sectionBlock(true),
      ...interfaceBlock(true, 1, [[14, [0, 0xf1, 0x53, 0x65, 0, 0, 0, 0]]]),
      ...packetBlock(true, 0, 5_000_000n, bytes),
      ...packetBlock(true, 0, 5_000_001n, bytes),
    ];
    const trace = read('pcapng', Uint8Array.from(offset));
    expect(trace.clock.unixEpochUs).toBe((0x6553_f100 + 5) * 1e6);
    expect([...trace.flows[0]!.segments.timeUs]).toEqual([0, 1]);
  });

  it('takes whose side it is from the direction of packets, and reads the older packet blocks', () => {
    const big = frame({ ...CLIENT, payload: 100 });
    const directed = [...sectionBlock(true), ...interfaceBlock(true, 1), ...packetBlock(true, 0, 5n, big, 1)];
    expect(read('pcapng', Uint8Array.from(directed)).flows[0]!.localPort).toBe(80);
    const old = new Bytes(true).u16(0, 0).u32(0, 7, big.length, big.length).raw(big).raw([0, 0]).list;
    const simple = new Bytes(true).u32(big.length).raw(big).raw([0, 0]).list;
    const file = [
      ...sectionBlock(true),
      ...interfaceBlock(true, 1),
      ...block(true, 2, old),
      ...block(true, 0x0bad, [1, 2, 3, 4]),
      ...block(true, 3, simple),
    ];
    const trace = read('pcapng', Uint8Array.from(file));
    expect([trace.frames!.rows, trace.problems]).toEqual([2, []]);
    expect([...trace.flows[0]!.segments.timeUs]).toEqual([7, 7]);
  });

  it('keeps the packets of a capture when it is written again', () => {
    for (const source of [pcapFile(CONVERSATION), Uint8Array.from(captured(false))]) {
      const trace = source[0] === 0x0a ? read('pcapng', source) : read('pcap', source);
      const again = read('pcapng', write('pcapng', trace));
      checkConversation(again);
      const bytesOf = ({ frames }: Trace, row: number) =>
        frames!.bytes.slice(frames!.offset[row], frames!.offset[row]! + frames!.capturedBytes[row]!);
      for (let row = 0; row < CONVERSATION.length; row++) {
        expect(bytesOf(again, row)).toEqual(Uint8Array.from(CONVERSATION[row]!.bytes));
      }
      expect(again.flows[0]!.segments.timeUs).toEqual(trace.flows[0]!.segments.timeUs);
    }
  });

  it('cut at any byte gives every packet that was whole', () => {
    const file = Uint8Array.from(captured(true));
    for (let length = 0; length <= file.length; length++) {
      const { whole, boundary } = blocksWithin(file, length);
      const trace = read('pcapng', file.subarray(0, length));
      if (trace.frames!.rows !== whole || trace.problems.length > 0 === boundary) {
        expect([length, trace.frames!.rows, trace.problems]).toEqual([length, whole, boundary]);
      }
    }
  });

  it('damaged anywhere gives the blocks before and after, and never throws', () => {
    const random = seededRandom(2);
    const packets = Array.from({ length: 60 }, (_, i) => {
      return packetBlock(true, 0, BigInt(i) * 1000n, frame({ ...CLIENT, seq: i * 100, payload: 100 }), 2);
    });
    const head = [...sectionBlock(true), ...interfaceBlock(true, 1)];
    const file = Uint8Array.from([...head, ...packets.flat()]);
    for (let run = 0; run < 300; run++) {
      const damaged = file.slice();
      for (let i = 1 + random(4); i > 0; i--) damaged[head.length + random(file.length - head.length)] = random(256);
      expect(read('pcapng', damaged).frames!.rows).toBeGreaterThanOrEqual(60 - 4);
      for (let i = 0; i < 200; i++) damaged[random(file.length)] = random(256);
      read('pcapng', damaged);
    }
  });
});

/** How many whole packet blocks stand within `length` bytes, and whether a block ends there. */
function blocksWithin(file: Uint8Array, length: number): { readonly whole: number; readonly boundary: boolean } {
  const view = new DataView(file.buffer);
  let at = 0;
  let whole = 0;
  while (at < file.length && at + view.getUint32(at + 4, true) <= length) {
    if (view.getUint32(at, true) === 6) whole++;
    at += view.getUint32(at + 4, true);
  }
  return { whole, boundary: at === length };
}

describe('what a capture says of retransmissions', () => {
  const judge = (packets: readonly [number, PacketFields][]) => {
    const trace = read('pcap', pcapFile(packets.map(([us, fields]) => at(us, fields))));
    return trace.flows.flatMap((flow) => [...flow.segments.info].map(segmentReason));
  };
  const data = (seq: number, bytes = 100): PacketFields => ({ ...CLIENT, seq, payload: bytes });
  const acks = (ack: number): PacketFields => ({ ...SERVER, ack });

  it('what was there before was sent again; beyond the wrap, too', () => {
    const seq = 0xffff_ff80;
    expect(
      judge([
        [0, data(seq)],
        [1, data(0xffff_ffe4)],
        [9, data(seq)],
        [10, data(72)],
      ]),
    ).toEqual([...[REASON_NONE, REASON_NONE, REASON_OTHER, REASON_NONE]]);
  });

  it('after three duplicate acknowledgments it was a fast retransmission', () => {
    const packets: [number, PacketFields][] = [
      [0, data(1)],
      [0, data(101)],
      [0, data(201)],
      [0, data(301)],
      ...[1, 2, 3, 4].map((us): [number, PacketFields] => [us, acks(1)]),
      [5, data(1)],
    ];
    expect(judge(packets).at(-1)).toBe(REASON_FAST);
  });

  it('what fills a hole was overtaken when it comes at once, and lost when it comes late', () => {
    expect(
      judge([
        [0, data(1)],
        [1, data(201)],
        [2, data(101)],
      ]),
    ).toEqual([0, 0, REASON_NONE]);
    expect(
      judge([
        [0, data(1)],
        [1, data(201)],
        [50_000, data(101)],
      ]),
    ).toEqual([0, 0, REASON_OTHER]);
  });

  it('probes and SYNs are told apart', () => {
    const syn = { ...CLIENT, seq: 5, flags: 0x02 };
    expect(
      judge([
        [0, syn],
        [1, syn],
      ]),
    ).toEqual([REASON_NONE, REASON_SYN]);
    expect(
      judge([
        [0, data(1)],
        [1, { ...CLIENT, seq: 100 }],
      ]),
    ).toEqual([REASON_NONE, REASON_PROBE]);
  });

  it('a SYN with another sequence number begins another connection', () => {
    const trace = read(
      'pcap',
      pcapFile([5, 5, 77].map((seq, i) => at(i, { ...CLIENT, seq, flags: 0x02, options: SYN_OPTIONS }))),
    );
    expect(trace.flows.map((flow) => [flow.iss, flow.segments.rows])).toEqual([
      [5, 2],
      [77, 1],
    ]);
  });
});
