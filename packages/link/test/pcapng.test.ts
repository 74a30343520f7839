import { Packet } from '@qanat/bytes';
import { describe, expect, it } from 'vitest';
import { createPipe, PCAP_DIRECTION_OUT, type PcapngOptions, PcapngWriter, pcapTap } from '../src/index.ts';
import { createGround, Recorder, send, tagOf } from './harness.ts';

interface Block {
  readonly type: number;
  readonly body: DataView;
  readonly options: Map<number, Uint8Array>;
}

/** Where the options of a block type begin in its body. */
function optionsOffset(type: number, body: DataView): number {
  if (type === 0x0a0d0d0a) return 16;
  return type === 1 ? 8 : 20 + ((body.getUint32(12, true) + 3) & ~3);
}

/** Reads a file by the specification, and checks lengths and padding. */
function readBlocks(file: Uint8Array): Block[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const blocks: Block[] = [];
  for (let at = 0; at < file.length; ) {
    const type = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    expect(length % 4).toBe(0);
    expect(view.getUint32(at + length - 4, true)).toBe(length);
    const body = new DataView(file.buffer, file.byteOffset + at + 8, length - 12);
    const options = new Map<number, Uint8Array>();
    for (let o = optionsOffset(type, body); o < body.byteLength; ) {
      const code = body.getUint16(o, true);
      const size = body.getUint16(o + 2, true);
      if (code === 0) {
        expect([size, o + 4]).toEqual([0, body.byteLength]);
        break;
      }
      options.set(code, new Uint8Array(body.buffer, body.byteOffset + o + 4, size));
      o += 4 + ((size + 3) & ~3);
    }
    blocks.push({ type, body, options });
    at += length;
  }
  return blocks;
}

function capture(options: PcapngOptions = {}) {
  const chunks: Uint8Array[] = [];
  const writer = new PcapngWriter((chunk) => chunks.push(chunk), options);
  const file = () => {
    writer.flush();
    return new Uint8Array(Buffer.concat(chunks));
  };
  return { writer, chunks, file };
}

const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

/** Nanoseconds of an enhanced packet block. */
const stampOf = (block: Block) =>
  (BigInt(block.body.getUint32(4, true)) << 32n) | BigInt(block.body.getUint32(8, true));

const frameOf = (block: Block) =>
  new Uint8Array(block.body.buffer, block.body.byteOffset + 20, block.body.getUint32(12, true));

describe('PcapngWriter', () => {
  it('begins with a section and describes its interfaces', () => {
    const { writer, file } = capture({ application: 'test', snapBytes: 96 });
    expect(writer.addInterface('eth0', new Uint8Array([2, 0, 0, 0, 0, 1]))).toBe(0);
    expect(writer.addInterface('eth1')).toBe(1);
    const [section, first, second] = readBlocks(file()) as [Block, Block, Block];
    expect(section.type).toBe(0x0a0d0d0a);
    expect(section.body.getUint32(0, true)).toBe(0x1a2b3c4d);
    expect([section.body.getUint16(4, true), section.body.getUint16(6, true)]).toEqual([1, 0]);
    expect(section.body.getBigInt64(8, true)).toBe(-1n);
    expect(text(section.options.get(4))).toBe('test');
    expect([first.type, first.body.getUint16(0, true), first.body.getUint32(4, true)]).toEqual([1, 1, 96]);
    expect(text(first.options.get(2))).toBe('eth0');
    expect(Array.from(first.options.get(6)!)).toEqual([2, 0, 0, 0, 0, 1]);
    expect(Array.from(first.options.get(9)!)).toEqual([9]);
    expect(second.options.has(6)).toBe(false);
  });

  it('writes frames of any length with stamp, direction and comment', () => {
    const { writer, file } = capture();
    const iface = writer.addInterface('eth0');
    for (let length = 0; length < 9; length++) {
      const frame = Uint8Array.from({ length }, (_, i) => i + 1);
      expect(writer.frame(iface, length, frame, PCAP_DIRECTION_OUT, length % 2 ? `no. ${length} – ü` : undefined)).toBe(
        true,
      );
    }
    const packets = readBlocks(file()).slice(2);
    expect(packets.length).toBe(9);
    for (const [length, block] of packets.entries()) {
      expect([block.type, block.body.getUint32(0, true)]).toEqual([6, 0]);
      expect([block.body.getUint32(12, true), block.body.getUint32(16, true)]).toEqual([length, length]);
      expect(Array.from(frameOf(block))).toEqual(Array.from({ length }, (_, i) => i + 1));
      expect(stampOf(block)).toBe(BigInt(length) * 1000n);
      expect(Array.from(block.options.get(2)!)).toEqual([2, 0, 0, 0]);
      expect(block.options.has(1)).toBe(length % 2 === 1);
      if (length % 2 === 1) expect(text(block.options.get(1))).toBe(`no. ${length} – ü`);
    }
    expect(writer.packets).toBe(9);
    expect(writer.bytes).toBe(file().length);
  });

  it('stamps exactly, to the nanosecond and beyond 2^53 of them', () => {
    const epochUs = Date.UTC(2040, 0, 1) * 1000;
    const { writer, file } = capture({ epochUs });
    writer.addInterface('eth0');
    const times = [0, 0.5, 1, 4_294_967, 4_294_968, 86_400e6 * 365 + 1.25];
    for (const us of times) writer.frame(0, us, new Uint8Array(14));
    const stamps = readBlocks(file()).slice(2).map(stampOf);
    const expected = times.map((us) => (BigInt(epochUs) + BigInt(Math.floor(us))) * 1000n + BigInt((us % 1) * 1000));
    expect(stamps).toEqual(expected);
  });

  it('gathers the fragments of a packet', () => {
    const { memory } = createGround(1 << 20);
    for (let i = 0; i < 300; i++) memory.u8[0x1000 + i] = i;
    const packet = new Packet();
    packet.set(0x1000, 100);
    packet.headLen = 40;
    packet.fragCount = 2;
    packet.fragAddr.set([0x1040, 0x1080]);
    packet.fragLen.set([50, 10]);
    const whole = [...memory.u8.subarray(0x1000, 0x1028), ...memory.u8.subarray(0x1040, 0x1072)];
    whole.push(...memory.u8.subarray(0x1080, 0x108a));
    for (const snapBytes of [0, 100, 95, 90, 60, 40, 10]) {
      const { writer, file } = capture({ snapBytes });
      writer.addInterface('eth0');
      writer.packet(0, 1, memory, packet);
      const block = readBlocks(file())[2]!;
      expect(Array.from(frameOf(block))).toEqual(snapBytes === 0 ? whole : whole.slice(0, snapBytes));
      expect(block.body.getUint32(16, true)).toBe(100);
    }
  });

  it('hands out chunks that stay as they are, whatever the sizes of frames', () => {
    const { writer, chunks, file } = capture({ chunkBytes: 200 });
    writer.addInterface('eth0');
    for (let i = 0; i < 50; i++) writer.frame(0, i, new Uint8Array(i * 37).fill(i));
    const packets = readBlocks(file()).slice(2);
    expect(packets.map((block) => frameOf(block).length)).toEqual(Array.from({ length: 50 }, (_, i) => i * 37));
    expect(packets.every((block, i) => frameOf(block).every((byte) => byte === i))).toBe(true);
    expect(chunks.length).toBeGreaterThan(10);
  });

  it('stops at its limit and counts what it left out', () => {
    const { writer, file } = capture({ maxBytes: 1000 });
    writer.addInterface('eth0');
    let written = 0;
    for (let i = 0; i < 50; i++) if (writer.frame(0, i, new Uint8Array(100))) written++;
    expect(written).toBeGreaterThan(3);
    expect([writer.packets, writer.droppedPackets]).toEqual([written, 50 - written]);
    expect(file().length).toBeLessThanOrEqual(1000);
    expect(readBlocks(file()).length).toBe(2 + written);
  });

  it('cuts a comment that is too long between characters', () => {
    const { writer, file } = capture();
    writer.addInterface('eth0');
    writer.frame(0, 0, new Uint8Array(14), 0, `a${'ü'.repeat(40_000)}`);
    const comment = text(readBlocks(file())[2]!.options.get(1));
    expect(comment).toBe(`a${'ü'.repeat(32_767)}`);
  });
});

describe('pcapTap', () => {
  it('writes down both directions and changes nothing else', () => {
    const { on, time } = createGround();
    const [a, b] = createPipe({ ...on, impair: { delayUs: 250 }, ringFrames: 2 });
    const { writer, file } = capture();
    const tapped = pcapTap(a, writer, time.clock);
    expect([tapped.name, tapped.mac, tapped.mtu, tapped.offload]).toEqual([a.name, a.mac, a.mtu, a.offload]);
    const atA = new Recorder(tapped, time);
    const atB = new Recorder(b, time);
    atB.onDone = () => {
      send(b, 3);
      b.flush();
    };
    send(tapped, 1);
    send(tapped, 2);
    expect(tapped.allocate(64)).toBeNull();
    tapped.flush();
    time.run();
    expect(atB.frames.map(tagOf)).toEqual([1, 2]);
    expect(atA.log).toEqual(['ready', '500:3', 'done']);
    const given = tapped.allocate(64)!;
    tapped.release(given);
    tapped.close();
    const blocks = readBlocks(file()).slice(2);
    expect(blocks.map((block) => [Number(stampOf(block)), block.options.get(2)![0], tagOf(frameOf(block))])).toEqual([
      [0, 2, 1],
      [0, 2, 2],
      [500_000, 1, 3],
    ]);
  });
});
