import { addSum, finishSum, foldSum, Memory } from '@qanat/bytes';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as ipv4 from '../src/index.ts';

const memory = Memory.create({ bytes: 1 << 16, kernel: 'typescript' });
const AT = 1002;
const u16 = fc.integer({ min: 0, max: 0xffff });
const u8 = fc.integer({ min: 0, max: 0xff });
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const ip = ipv4.parseAddress;

function put(hex: string): number {
  const bytes = Uint8Array.from(hex.replaceAll(' ', '').match(/../g)!, (b) => Number.parseInt(b, 16));
  memory.u8.set(bytes, AT);
  return bytes.length;
}

describe('header', () => {
  // The header that many textbooks sum: UDP 192.168.0.1 -> 192.168.0.199, checksum b861.
  const TEXTBOOK = '4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7';

  test('the textbook header is read and found right', () => {
    put(TEXTBOOK);
    expect(ipv4.checkHeader(memory, AT, 20, 0x73)).toBe(ipv4.HEADER_OK);
    expect(ipv4.getTotalLength(memory, AT)).toBe(115);
    expect(ipv4.getFlags(memory, AT)).toBe(ipv4.FLAG_DF);
    expect(ipv4.isFragment(memory, AT)).toBe(false);
    expect(ipv4.getProtocol(memory, AT)).toBe(ipv4.PROTOCOL_UDP);
    expect(ipv4.formatAddress(ipv4.getSrc(memory, AT))).toBe('192.168.0.1');
    expect(ipv4.formatAddress(ipv4.getDst(memory, AT))).toBe('192.168.0.199');
  });

  test('the textbook header is written, byte for byte', () => {
    put(TEXTBOOK);
    const want = memory.u8.slice(AT, AT + 20);
    memory.u8.fill(0xee, AT, AT + 20);
    ipv4.writeHeader(memory, AT, 115, 0, ipv4.FLAG_DF, 64, 17, ip('192.168.0.1'), ip('192.168.0.199'), 0);
    expect(memory.u8.slice(AT, AT + 20)).toEqual(want);
  });

  test('whatever is written reads back and sums up', () => {
    const length = fc.integer({ min: 20, max: 0xffff });
    fc.assert(
      fc.property(length, u16, u16, u8, u8, i32, i32, u8, (total, id, flags, ttl, protocol, src, dst, tos) => {
        ipv4.writeHeader(memory, AT, total, id, flags, ttl, protocol, src, dst, tos);
        expect(ipv4.checkHeader(memory, AT, 20, 0xffff)).toBe(ipv4.HEADER_OK);
        expect([
          ipv4.getVersion(memory, AT),
          ipv4.getHeaderBytes(memory, AT),
          ipv4.getTos(memory, AT),
          ipv4.getTotalLength(memory, AT),
          ipv4.getId(memory, AT),
          ipv4.getFlags(memory, AT),
          ipv4.getTtl(memory, AT),
          ipv4.getProtocol(memory, AT),
          ipv4.getSrc(memory, AT),
          ipv4.getDst(memory, AT),
        ]).toEqual([4, 20, tos, total, id, flags, ttl, protocol, src, dst]);
        const written = ipv4.getChecksum(memory, AT);
        ipv4.updateChecksum(memory, AT);
        expect(ipv4.getChecksum(memory, AT)).toBe(written);
      }),
    );
  });

  test('one changed bit is never missed', () => {
    fc.assert(
      fc.property(u16, i32, i32, fc.integer({ min: 0, max: 159 }), (id, src, dst, bit) => {
        ipv4.writeHeader(memory, AT, 60, id, 0, 64, 6, src, dst, 0);
        memory.u8[AT + (bit >>> 3)]! ^= 1 << (bit & 7);
        expect(ipv4.checkHeader(memory, AT, 60, 60)).not.toBe(ipv4.HEADER_OK);
      }),
    );
  });

  test('the sum of a header with options is that of the kernel', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 60, maxLength: 60 }), fc.integer({ min: 5, max: 15 }), (bytes, words) => {
        memory.u8.set(bytes, AT);
        expect(ipv4.headerSum(memory, AT, words * 4)).toBe(memory.kernel.sum(AT, words * 4));
      }),
    );
  });

  test.each([
    ['19 bytes', TEXTBOOK, 19, 115, ipv4.HEADER_TRUNCATED],
    ['version 6', `6${TEXTBOOK.slice(1)}`, 20, 115, ipv4.HEADER_BAD_VERSION],
    ['IHL 4', `44${TEXTBOOK.slice(2)}`, 20, 115, ipv4.HEADER_BAD_LENGTH],
    ['IHL beyond the head', `46${TEXTBOOK.slice(2)}`, 20, 115, ipv4.HEADER_TRUNCATED],
    ['a total length beyond the packet', TEXTBOOK, 20, 114, ipv4.HEADER_BAD_TOTAL_LENGTH],
    ['a total length below the header', TEXTBOOK.replace('0073', '0013'), 20, 115, ipv4.HEADER_BAD_TOTAL_LENGTH],
    ['a wrong checksum', TEXTBOOK.replace('b861', 'b862'), 20, 115, ipv4.HEADER_BAD_CHECKSUM],
  ])('%s is refused', (_name, hex, headLen, len, problem) => {
    put(hex);
    expect(ipv4.checkHeader(memory, AT, headLen, len)).toBe(problem);
  });

  test('noise never throws and nothing beyond the head decides', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), u8, u8, (bytes, before, after) => {
        const check = (around: number) => {
          memory.u8.fill(around, AT - 8, AT + 128);
          memory.u8.set(bytes, AT);
          return ipv4.checkHeader(memory, AT, bytes.length, bytes.length);
        };
        expect(check(before)).toBe(check(after));
      }),
    );
  });
});

test('the pseudo-header sum is that of its twelve bytes', () => {
  fc.assert(
    fc.property(i32, i32, u8, u16, (src, dst, protocol, length) => {
      memory.view.setInt32(AT, src);
      memory.view.setInt32(AT + 4, dst);
      memory.view.setUint16(AT + 8, protocol);
      memory.view.setUint16(AT + 10, length);
      expect(ipv4.pseudoHeaderSum(src, dst, protocol, length)).toBe(memory.kernel.sum(AT, 12));
    }),
  );
  expect(ipv4.pseudoHeaderSum(-1, -1, 255, 0x12345)).toBe(addSum(foldSum(0xffff * 4), foldSum(255 + 1 + 0x2345)));
  expect(finishSum(0xffff)).toBe(0);
});

describe('addresses on packets', () => {
  const LOCAL = ip('192.168.8.1');
  const BROADCAST = ip('192.168.8.255');
  test.each([
    ['192.168.8.2', '192.168.8.1', ipv4.HEADER_OK],
    ['8.8.8.8', '192.168.8.255', ipv4.HEADER_OK],
    ['192.168.8.2', '224.0.0.1', ipv4.HEADER_OK],
    ['0.0.0.0', '255.255.255.255', ipv4.HEADER_OK],
    ['0.0.0.0', '192.168.8.1', ipv4.HEADER_BAD_SOURCE],
    ['0.1.2.3', '255.255.255.255', ipv4.HEADER_BAD_SOURCE],
    ['127.0.0.1', '192.168.8.1', ipv4.HEADER_BAD_SOURCE],
    ['224.0.0.1', '192.168.8.1', ipv4.HEADER_BAD_SOURCE],
    ['240.0.0.1', '192.168.8.1', ipv4.HEADER_BAD_SOURCE],
    ['255.255.255.255', '192.168.8.1', ipv4.HEADER_BAD_SOURCE],
    ['192.168.8.255', '192.168.8.1', ipv4.HEADER_BAD_SOURCE],
    ['192.168.8.1', '192.168.8.1', ipv4.HEADER_BAD_SOURCE],
    ['192.168.8.2', '0.0.0.0', ipv4.HEADER_BAD_DESTINATION],
    ['192.168.8.2', '127.0.0.1', ipv4.HEADER_BAD_DESTINATION],
    ['192.168.8.2', '250.0.0.1', ipv4.HEADER_BAD_DESTINATION],
  ])('%s -> %s: %i', (src, dst, problem) => {
    expect(ipv4.checkAddresses(ip(src), ip(dst), LOCAL, BROADCAST)).toBe(problem);
  });

  test('unicast is neither group, broadcast, nor nothing', () => {
    const unicast = ['192.168.8.1', '8.8.8.8', '192.168.8.255', '224.0.0.1', '255.255.255.255', '0.0.0.0'];
    expect(unicast.map((a) => ipv4.isUnicast(ip(a), BROADCAST))).toEqual([true, true, false, false, false, false]);
  });
});

describe('addresses as text', () => {
  test('every address survives', () => {
    fc.assert(
      fc.property(i32, (a) => {
        expect(ip(ipv4.formatAddress(a))).toBe(a);
      }),
    );
  });

  test('every CIDR survives and knows its network', () => {
    fc.assert(
      fc.property(i32, fc.integer({ min: 0, max: 32 }), (address, bits) => {
        const cidr = ipv4.cidrOf(address, bits);
        expect(ipv4.parseCidr(ipv4.formatCidr(cidr))).toEqual(cidr);
        expect(ipv4.contains(cidr, address)).toBe(true);
        expect(ipv4.contains(cidr, cidr.network)).toBe(true);
        if (bits > 0) expect(ipv4.contains(cidr, address ^ (1 << (32 - bits)))).toBe(false);
      }),
    );
    expect(ipv4.parseCidr('192.168.8.101/24')).toEqual({
      address: ip('192.168.8.101'),
      prefixBits: 24,
      mask: 0xffffff00 | 0,
      network: ip('192.168.8.0'),
      broadcast: ip('192.168.8.255'),
    });
    expect(ipv4.parseCidr('10.0.0.1').prefixBits).toBe(32);
  });

  test.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', ' 1.2.3.4', '0x7f.0.0.1', '::1', '1.2.3.4/24', 'host'])(
    '"%s" is no address',
    (text) => {
      expect(() => ip(text)).toThrow(RangeError);
      expect(ipv4.isAddress(text)).toBe(false);
    },
  );

  test.each(['1.2.3.4/33', '1.2.3.4/', '1.2.3.4/-1', '1.2.3.4/024', '/8', 'net/8'])('"%s" is no CIDR', (text) => {
    expect(() => ipv4.parseCidr(text)).toThrow(RangeError);
  });
});
