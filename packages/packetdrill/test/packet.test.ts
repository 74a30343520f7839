import { describe, expect, it } from 'vitest';
import type { PacketAction } from '../src/ast.ts';
import { continues, merge } from '../src/packet/aggregate.ts';
import { internetSum } from '../src/packet/checksum.ts';
import { type CompareOptions, comparePacket } from '../src/packet/compare.ts';
import { decodePacket, type LivePacket, PROTOCOL_TCP, PROTOCOL_UDP } from '../src/packet/decode.ts';
import { describeAction, describeLive } from '../src/packet/describe.ts';
import { EncodeError, encodeInbound } from '../src/packet/encode.ts';
import { ConnectionMap } from '../src/packet/mapping.ts';
import { parseScript } from '../src/parser.ts';

const LOCAL = 0xc0a80001 | 0;
const REMOTE = 0xc0000201 | 0;
const IN = { localAddress: LOCAL, remoteAddress: REMOTE, localPort: 8080, remotePort: 5000 };
/** The same wire seen from the other end: what it sends is outbound for us. */
const OUT = { localAddress: REMOTE, remoteAddress: LOCAL, localPort: 5000, remotePort: 8080 };

const packet = (line: string): PacketAction => parseScript(`0 ${line}`).events[0]!.action as PacketAction;
const encode = (line: string, map = new ConnectionMap(), scaledEcr = false): Uint8Array =>
  encodeInbound(packet(line), map, IN, { scaledEcr, protocol: PROTOCOL_TCP });

/** A live packet of ours as the line says, with our ISN at `isn` and the peer's at `peerIsn`. */
function live(line: string, isn = 0, peerIsn = 0, us = 0): LivePacket {
  const map = new ConnectionMap();
  map.remoteIsn = isn;
  map.localIsn = { live: peerIsn, script: 0 };
  map.timestamps.learn(0, 0);
  // A packet that goes out has a window too; where the test does not care it is 0.
  const inbound = line.replace('>', '<').replace(/^([^<]*< [^<]*?\(\d+\)(?: ack \d+)?)(?! win)(?=$| <)/, '$1 win 0');
  return decodePacket(encodeInbound(packet(inbound), map, OUT, { scaledEcr: true, protocol: PROTOCOL_TCP }), us)!;
}

function mapWith(isn: number, peerIsn: number): ConnectionMap {
  const map = new ConnectionMap();
  map.localIsn = { live: isn, script: 0 };
  map.remoteIsn = peerIsn;
  return map;
}

const OPTIONS: CompareOptions = { psh: 'lenient', timestampTickUs: 0, elapsedUs: 0, toleranceUs: 4000 };
const compare = (line: string, got: LivePacket, map = mapWith(0, 0), options: Partial<CompareOptions> = {}) =>
  comparePacket(packet(line), got, map, { ...OPTIONS, ...options });

describe('from script to wire', () => {
  it('fills in addresses, ports, checksums and what the reference says of inbound packets', () => {
    const bytes = encode('< S 0:0(0) win 1000 <mss 1460,nop,wscale 7>');
    const decoded = decodePacket(bytes, 5)!;
    expect(decoded.ip).toMatchObject({
      source: REMOTE,
      destination: LOCAL,
      ttl: 255,
      id: 0,
      dontFragment: false,
      checksumOk: true,
      tos: 0,
    });
    expect(decoded.tcp).toMatchObject({
      sourcePort: 5000,
      destinationPort: 8080,
      seq: 0,
      ack: 0,
      window: 1000,
      checksumOk: true,
      payloadBytes: 0,
    });
    expect(internetSum(bytes, 0, 20)).toBe(0xffff);
  });

  it('maps sequence numbers: SYNs absolute, the rest from the initial ones, over the wrap', () => {
    const map = mapWith(0xfffffff0, 1000);
    expect(decodePacket(encode('< S 77:77(0) win 1', map), 0)!.tcp!.seq).toBe(77);
    expect(decodePacket(encode('< S. 77:77(0) ack 1 win 1', map), 0)!.tcp!.ack).toBe(0xfffffff1);
    const data = decodePacket(encode('< P. 1:11(10) ack 0x20 win 1 <nop,nop,sack 1:17>', map), 0)!.tcp!;
    expect(data).toMatchObject({ seq: 1001, ack: 0x10, payloadBytes: 10, payloadZero: true });
    const sack = data.options[2]!.data;
    expect(new DataView(sack.buffer, sack.byteOffset).getUint32(0)).toBe(0xfffffff1);
    expect(new DataView(sack.buffer, sack.byteOffset).getUint32(4)).toBe(1);
    expect(decodePacket(encode('< R 2:2(0) win 0', map), 0)!.tcp!.ack).toBe(0);
  });

  it('echoes the timestamp that an outbound line had', () => {
    const map = mapWith(0, 0);
    map.timestamps.learn(100, 5_000_100);
    map.timestamps.learn(200, 5_000_207);
    const ecr = (line: string, scaled = false): number => {
      const { data } = decodePacket(encode(line, map, scaled), 0)!.tcp!.options[2]!;
      return new DataView(data.buffer, data.byteOffset).getUint32(4);
    };
    expect(ecr('< . 1:1(0) ack 1 win 1 <nop,nop,TS val 9 ecr 200>')).toBe(5_000_207);
    expect(ecr('< . 1:1(0) ack 1 win 1 <nop,nop,TS val 9 ecr 150>', true)).toBe(5_000_150);
    expect(ecr('< S 0:0(0) win 1 <nop,nop,TS val 9 ecr 150>')).toBe(150);
    expect(() => ecr('< . 1:1(0) ack 1 win 1 <nop,nop,TS val 9 ecr 150>')).toThrow(EncodeError);
  });

  it('writes ECN, TOS and TTL, UDP, and ICMP with the packet it quotes', () => {
    expect(decodePacket(encode('< [ce] . 1:1(0) ack 1 win 1'), 0)!.ip.tos).toBe(3);
    expect(decodePacket(encode('< (tos 0x12, ttl 3) . 1:1(0) ack 1 win 1'), 0)!.ip).toMatchObject({
      tos: 0x12,
      ttl: 3,
    });
    expect(decodePacket(encode('< udp (100)'), 0)!.udp).toMatchObject({ payloadBytes: 100, checksumOk: true });
    const map = mapWith(7000, 0);
    const icmp = decodePacket(encode('< icmp unreachable frag_needed mtu 1200 [1:1461(1460)]', map), 0)!.icmp!;
    expect(icmp).toMatchObject({ type: 3, code: 4, mtu: 1200, checksumOk: true });
    expect(icmp.quoted!.ip).toMatchObject({ source: LOCAL, destination: REMOTE, totalLength: 1500 });
    expect(icmp.quoted!.tcp).toMatchObject({ sourcePort: 8080, destinationPort: 5000, seq: 7001 });
    const bare = decodePacket(encode('< icmp unreachable host_unreachable', map), 0)!.icmp!;
    expect(bare.quoted!.tcp!.seq).toBe(7000);
    expect(
      encodeInbound(packet('< icmp unreachable port_unreachable'), map, IN, {
        scaledEcr: false,
        protocol: PROTOCOL_UDP,
      })[37],
    ).toBe(PROTOCOL_UDP);
  });

  it('makes one packet of what is larger than any MTU, and refuses what IPv4 cannot carry', () => {
    expect(encode('< . 1:60001(60000) ack 1 win 1')).toHaveLength(60040);
    expect(() => encode('< . 1:70001(70000) ack 1 win 1')).toThrow(/too large/);
    expect(() => encode('< . 1:1(0) ack 1 win 1 <nop>')).toThrow(/multiple of 4/);
  });
});

describe('from wire to script', () => {
  it("writes live packets in the script's notation and numbers", () => {
    const got = live('> [ect0] P. 1:1001(1000) ack 1 win 7 <nop,nop,sack 1:2>', 4_000_000_000, 9);
    expect(describeLive(got, mapWith(4_000_000_000, 9))).toBe(
      '> [ect0] P. 1:1001(1000) ack 1 win 7 <nop,nop,sack 1:2>',
    );
    expect(describeAction(packet('> P. 1:2(1) ack 1 <...>'))).toBe('> P. 1:2(1) ack 1 <...>');
    expect(
      describeAction(packet('> S 0:0(0) <mss 1,nop,FO 0a,md5 000102030405060708090a0b0c0d0e0f,TS val 1 ecr 2>')),
    ).toContain('FO 0a');
  });

  it('never throws on what is no packet', () => {
    for (const size of [0, 1, 19, 20, 27, 28, 40]) {
      for (const protocol of [1, 6, 17, 99]) {
        const bytes = new Uint8Array(size).fill(0xff);
        if (size > 9) bytes.set([0x45, 0, 0, size], 0);
        if (size > 9) bytes[9] = protocol;
        expect(() => decodePacket(bytes, 0)).not.toThrow();
      }
    }
  });
});

describe('comparison', () => {
  it('finds nothing where nothing differs', () => {
    expect(
      compare(
        '> P. 1:1001(1000) ack 1 win 7 <nop,nop,TS val 1 ecr 2>',
        live('> P. 1:1001(1000) ack 1 win 7 <nop,nop,TS val 1 ecr 2>'),
      ),
    ).toEqual({
      mismatches: [],
      warnings: ['the packet has no DF bit'],
      pshDiffers: false,
    });
  });

  it.each([
    ['> . 2:2(0) ack 1', /seq: expected 2, got 1/],
    ['> . 1:1(0) ack 2', /ack: expected 2, got 1/],
    ['> . 1:1(0) ack 1 win 8', /win: expected 8, got 7/],
    ['> F. 1:1(0) ack 1', /flags: expected F\., got \./],
    ['> P. 1:1(0) ack 1', /flags: expected P\., got \./],
    ['> . 1:11(10) ack 1', /payload length: expected 10, got 0/],
    ['> . 1:1(0) ack 1 <nop,nop,sack 1:2>', /TCP options: expected <nop,nop,sack 1:2>, got <>/],
    ['> [ect0] . 1:1(0) ack 1', /ECN: expected ect0, got noecn/],
    ['> [ect01] . 1:1(0) ack 1', /ECN/],
    ['> (ttl 9) . 1:1(0) ack 1', /TTL: expected 9, got 255/],
    ['> (tos 0x10) . 1:1(0) ack 1', /TOS: expected 0x10, got 0x0/],
    ['> . 1:1(0) ack 1 urg 5', /urgent pointer: expected 5, got 0/],
    ['> udp (0)', /protocol: expected udp, got tcp/],
  ])('%s', (line, expected) => {
    const { mismatches } = compare(line, live('> . 1:1(0) ack 1 win 7'));
    expect(mismatches.join('; ')).toMatch(expected);
  });

  it('wants no options where the line has none, and takes any for <...>', () => {
    const got = live('> . 1:1(0) ack 1 win 7 <nop,nop,sack 1:2>');
    expect(compare('> . 1:1(0) ack 1', got).mismatches).toHaveLength(1);
    expect(compare('> . 1:1(0) ack 1 <...>', got).mismatches).toEqual([]);
    expect(compare('> . 1:1(0) ack 1 <nop,sack 1:2,nop>', got).mismatches).toHaveLength(1);
  });

  it('lets PSH pass on data when lenient, and counts it', () => {
    const got = live('> . 1:11(10) ack 1 win 7');
    expect(compare('> P. 1:11(10) ack 1', got)).toMatchObject({ mismatches: [], pshDiffers: true });
    expect(compare('> P. 1:11(10) ack 1', got, mapWith(0, 0), { psh: 'linux' }).mismatches).toHaveLength(1);
  });

  it('sees a bad checksum, a bad length and bytes that are not zero', () => {
    const good = live('> P. 1:11(10) ack 1 win 7').bytes;
    const with_ = (change: (bytes: Uint8Array) => void): string => {
      const bytes = good.slice();
      change(bytes);
      return compare('> P. 1:11(10) ack 1', decodePacket(bytes, 0)!).mismatches.join('; ');
    };
    expect(with_((bytes) => bytes.set([bytes[36]! ^ 1], 36))).toMatch(/TCP checksum/);
    expect(with_((bytes) => bytes.set([9], 8))).toMatch(/IP header checksum/);
    expect(with_((bytes) => bytes.set([1], 45))).toMatch(/payload: expected all zero/);
    expect(with_((bytes) => bytes.set([bytes[3]! - 1], 3))).toMatch(/IP total length/);
  });

  it('compares TSval by ticks only where asked, TSecr as a warning', () => {
    const map = mapWith(0, 0);
    map.timestamps.learn(100, 1100);
    const got = live('> . 1:1(0) ack 1 win 7 <nop,nop,TS val 1150 ecr 9>');
    expect(compare('> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 8>', got, map)).toMatchObject({
      mismatches: [],
      warnings: [expect.stringMatching(/TSecr: expected 8, got 9/), expect.anything()],
    });
    expect(
      compare('> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 9>', got, map, { timestampTickUs: 1000 }).mismatches,
    ).toHaveLength(1);
    expect(
      compare('> . 1:1(0) ack 1 <nop,nop,TS val 152 ecr 9>', got, map, { timestampTickUs: 1000 }).mismatches,
    ).toEqual([]);
    expect(
      compare('> . 1:1(0) ack 1 <nop,nop,TS val 100 ecr 9>', got, map, { timestampTickUs: 1000, elapsedUs: 1e6 })
        .mismatches,
    ).toEqual([]);
  });

  it('compares ICMP with what it quotes', () => {
    const map = mapWith(0, 100);
    const bytes = encodeInbound(packet('< icmp unreachable port_unreachable [udp (33)]'), new ConnectionMap(), OUT, {
      scaledEcr: false,
      protocol: PROTOCOL_UDP,
    });
    const got = decodePacket(bytes, 0)!;
    expect(compare('> icmp unreachable port_unreachable [udp (33)]', got, map).mismatches).toEqual([]);
    expect(compare('> icmp unreachable port_unreachable [udp (34)]', got, map).mismatches).toHaveLength(1);
    expect(compare('> icmp unreachable host_unreachable', got, map).mismatches).toHaveLength(1);
  });
});

describe('segments of one line', () => {
  const part = (from: number, to: number, flags = '.', us = 0) =>
    live(`> ${flags} ${from}:${to}(${to - from}) ack 1 win 7`, 0, 0, us);

  it('joins segments that follow each other, equal but for the last', () => {
    const parts = [part(1, 101, '.', 5), part(101, 201, '.', 6), part(201, 231, 'P.', 7)];
    expect(continues(parts.slice(0, 1), parts[1]!)).toBe(true);
    expect(continues(parts.slice(0, 2), parts[2]!)).toBe(true);
    const all = merge(parts);
    expect(all.us).toBe(7);
    expect(compare('> P. 1:231(230) ack 1', all, mapWith(0, 0), { psh: 'linux' }).mismatches).toEqual([]);
  });

  it.each([
    ['a gap', part(102, 202)],
    ['a larger one', part(101, 301)],
    ['a pure ACK', part(101, 101)],
    ['another window', live('> . 101:201(100) ack 1 win 8')],
    ['another ack', live('> . 101:201(100) ack 2 win 7')],
    ['other flags', live('> E. 101:201(100) ack 1 win 7')],
    ['other options', live('> . 101:201(100) ack 1 win 7 <nop,nop,sack 1:2>')],
  ])('does not join %s', (_name, next) => {
    expect(continues([part(1, 101)], next)).toBe(false);
  });

  it('does not go on after a short one', () => {
    expect(continues([part(1, 101), part(101, 151)], part(151, 251))).toBe(false);
  });
});
