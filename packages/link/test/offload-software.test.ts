import { Memory, PACKET_CSUM_BLANK, Packet } from '@qanat/bytes';
import { writeHeader as writeEthernet } from '@qanat/ethernet';
import { checkHeader, FLAG_DF, getId, HEADER_OK, pseudoHeaderSum, writeHeader } from '@qanat/ipv4';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPipe, finishChecksum, PcapngWriter, pcapTap, TcpSegmenter, withChecksum } from '../src/index.ts';
import { createGround } from './harness.ts';

const memory = Memory.create({ bytes: 1 << 18 });
const { u8, view, kernel } = memory;
const AT = 4098;
const SRC = 0x0a00_0001;
const DST = 0x0a00_0002;
const [FIN, PSH, ACK, CWR] = [1, 8, 16, 128];

interface Made {
  readonly payload: number;
  readonly options?: number;
  readonly flags?: number;
  readonly seq?: number;
  readonly df?: boolean;
  readonly padding?: number;
}

/** Writes a TCP frame with nonsense for a checksum. @returns its length. */
function make({ payload, options = 12, flags = ACK, seq = 1000, df = true, padding = 0 }: Made): number {
  const tcp = 20 + options;
  writeEthernet(memory, AT, 0x0200, 2, 0x0200, 1, 0x0800);
  writeHeader(memory, AT + 14, 20 + tcp + payload, 77, df ? FLAG_DF : 0, 64, 6, SRC, DST, 0);
  const at = AT + 34;
  view.setInt32(at, (5001 << 16) | 80);
  view.setInt32(at + 4, seq);
  view.setInt32(at + 8, 9);
  view.setInt32(at + 12, (((tcp << 10) | flags) << 16) | 500);
  view.setInt32(at + 16, 0x1234_0000);
  for (let i = 0; i < options; i++) u8[at + 20 + i] = 1;
  for (let i = 0; i < payload; i++) u8[at + tcp + i] = (i * 7 + (i >>> 8)) & 0xff;
  return 34 + tcp + payload + padding;
}

function transportSum(addr: number, len: number, protocol: number): number {
  const sum = pseudoHeaderSum(SRC, DST, protocol, len - 34) + kernel.sum(addr + 34, len - 34);
  return (sum & 0xffff) + (sum >>> 16);
}

describe('finishChecksum', () => {
  it('makes the checksum right, whatever stood there, and whatever pads the frame', () => {
    for (const payload of [0, 1, 2, 1459, 1460, 60_000]) {
      const len = make({ payload, padding: 5 });
      expect(finishChecksum(memory, AT, len)).toBe(true);
      expect(transportSum(AT, len - 5, 6)).toBe(0xffff);
    }
  });

  it('does so for UDP, where 0 means none', () => {
    make({ payload: 0 });
    writeHeader(memory, AT + 14, 28, 1, 0, 64, 17, SRC, DST, 0);
    // Ports that make the sum come out at 0xffff.
    view.setInt32(AT + 38, 8 << 16);
    const rest = (0xffff - ((pseudoHeaderSum(SRC, DST, 17, 8) + 8) % 0xffff)) & 0xffff;
    view.setInt32(AT + 34, rest << 16);
    expect(finishChecksum(memory, AT, 42)).toBe(true);
    expect(view.getUint16(AT + 40)).toBe(0xffff);
  });

  it.each<[string, number, () => void]>([
    ['is not IPv4', 75, () => view.setUint16(AT + 12, 0x86dd)],
    ['has another protocol', 75, () => view.setUint8(AT + 23, 1)],
    ['is a fragment', 75, () => view.setUint16(AT + 20, 0x2000)],
    ['is longer than it is', 74, () => {}],
    ['ends in its TCP header', 75, () => view.setUint16(AT + 16, 39)],
    ['has options beyond its end', 75, () => view.setUint8(AT + 46, 0xf0)],
    ['ends in its IP header', 20, () => {}],
    ['has no Ethernet header', 13, () => {}],
  ])('leaves a frame alone that %s', (_name, len, tear) => {
    make({ payload: 9 });
    tear();
    const before = u8.slice(AT, AT + 128);
    expect(finishChecksum(memory, AT, len)).toBe(false);
    expect(new TcpSegmenter(memory).begin(AT, len, 100, 14, false)).toBe(false);
    expect(u8.slice(AT, AT + 128)).toEqual(before);
  });
});

describe('a capture', () => {
  it('shows the checksum of what has none, in one piece or several, and leaves it blank', () => {
    const ground = createGround();
    const [near, far] = createPipe({ ...ground.on, offload: { checksum: true, gso: true } });
    const chunks: Uint8Array[] = [];
    const writer = new PcapngWriter((chunk) => chunks.push(chunk));
    const tap = pcapTap(near, writer, ground.time.clock);
    const came: Uint8Array[] = [];
    far.attach({
      receive: (packet) => came.push(ground.memory.u8.slice(packet.addr, packet.addr + packet.len)),
      receiveDone() {},
      transmitReady() {},
    });
    tap.attach({ receive() {}, receiveDone() {}, transmitReady() {} });
    for (const payload of [1001, 9000]) {
      const len = make({ payload });
      const packet = tap.allocate(len)!;
      packet.set(packet.addr, len);
      ground.memory.u8.set(u8.subarray(AT, AT + len), packet.addr);
      packet.flags = PACKET_CSUM_BLANK;
      packet.gsoSize = payload > 1400 ? 1400 : 0;
      // Odd pieces.
      if (payload === 9000) {
        const whole = new Packet();
        whole.set(packet.addr, len);
        whole.headLen = 201;
        whole.fragCount = 1;
        whole.fragAddr[0] = packet.addr + 201;
        whole.fragLen[0] = len - 201;
        whole.flags = PACKET_CSUM_BLANK;
        let shown = 0;
        withChecksum(ground.memory, whole, () => {
          shown = ground.memory.view.getUint16(packet.addr + 50);
        });
        finishChecksum(memory, AT, len);
        expect(shown).toBe(view.getUint16(AT + 50));
        make({ payload });
      }
      tap.transmit(packet);
      tap.flush();
      ground.time.run(ground.time.clock.now() + 1);
      // What came is as it was sent, the blank included.
      expect(Buffer.compare(came.at(-1)!, u8.subarray(AT, AT + len))).toBe(0);
      writer.flush();
      finishChecksum(memory, AT, len);
      expect(Buffer.concat(chunks).includes(Buffer.from(u8.subarray(AT, AT + len)))).toBe(true);
    }
  });
});

describe('TcpSegmenter', () => {
  it('cuts what is put together again: bytes, order, flags, headers and checksums', () => {
    const segmenter = new TcpSegmenter(memory);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 65_000 }),
        fc.integer({ min: 40, max: 9000 }),
        fc.constantFrom(0, 12, 40),
        fc.integer({ min: 0, max: 255 }).map((flags) => flags & ~6),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        fc.boolean(),
        fc.boolean(),
        (payload, gsoSize, options, flags, seq, df, blank) => {
          fc.pre(payload + options + 54 <= 65_535);
          const len = make({ payload, options, flags, seq, df });
          const headers = 54 + options;
          const whole = u8.slice(AT + headers, AT + len);
          expect(segmenter.begin(AT, len, gsoSize, 14, blank)).toBe(true);
          let at = 0;
          let count = 0;
          while (segmenter.next()) {
            const { addr } = segmenter;
            const bytes = segmenter.len - headers;
            const last = at + bytes === payload;
            expect(bytes).toBe(Math.min(gsoSize, payload - at));
            expect(
              Buffer.compare(u8.subarray(addr + headers, addr + segmenter.len), whole.subarray(at, at + bytes)),
            ).toBe(0);
            expect(checkHeader(memory, addr + 14, segmenter.len - 14, segmenter.len - 14)).toBe(HEADER_OK);
            expect(getId(memory, addr + 14)).toBe(df ? 77 : (77 + count) & 0xffff);
            expect(view.getInt32(addr + 38)).toBe((seq + at) | 0);
            const expected = (last ? flags : flags & ~(FIN | PSH)) & (count > 0 ? ~CWR : 0xff);
            expect(u8[addr + 47]).toBe(expected);
            if (blank) {
              expect(view.getUint16(addr + 50)).toBe(pseudoHeaderSum(SRC, DST, 6, segmenter.len - 34));
            } else {
              expect(transportSum(addr, segmenter.len, 6)).toBe(0xffff);
            }
            at += bytes;
            count++;
          }
          expect(at).toBe(payload);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('refuses sizes that would make a flood of it', () => {
    const segmenter = new TcpSegmenter(memory);
    const len = make({ payload: 60_000 });
    for (const gsoSize of [0, 1, 29]) expect(segmenter.begin(AT, len, gsoSize, 14, false)).toBe(false);
    expect(segmenter.begin(AT, len, 30, 14, false)).toBe(true);
  });
});
