import { Memory } from '@qanat/bytes';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as ethernet from '../src/index.ts';

const memory = Memory.create({ bytes: 1 << 16, kernel: 'typescript' });
const hi = fc.integer({ min: 0, max: 0xffff });
const lo = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const six = fc.uint8Array({ minLength: 6, maxLength: 6 });

describe('header', () => {
  test('one frame, byte for byte', () => {
    const [dst, src] = [ethernet.BROADCAST_MAC, ethernet.parseMac('00:16:3e:00:00:01')];
    memory.u8.fill(0xee, 60, 100);
    ethernet.writeHeader(
      memory,
      64,
      ethernet.macHi(dst),
      ethernet.macLo(dst),
      ethernet.macHi(src),
      ethernet.macLo(src),
      ethernet.ETH_TYPE_ARP,
    );
    expect([...memory.u8.subarray(63, 79)]).toEqual([
      0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0x00, 0x00, 0x01, 0x08, 0x06, 0xee,
    ]);
  });

  test('what is written is read back, at odd addresses too', () => {
    fc.assert(
      fc.property(hi, lo, hi, lo, hi, fc.integer({ min: 64, max: 80 }), (dstHi, dstLo, srcHi, srcLo, type, addr) => {
        const read = () => [
          ethernet.getDstHi(memory, addr),
          ethernet.getDstLo(memory, addr),
          ethernet.getSrcHi(memory, addr),
          ethernet.getSrcLo(memory, addr),
          ethernet.getType(memory, addr),
        ];
        ethernet.writeHeader(memory, addr, dstHi, dstLo, srcHi, srcLo, type);
        expect(read()).toEqual([dstHi, dstLo, srcHi, srcLo, type]);
        ethernet.setDst(memory, addr, srcHi, srcLo);
        ethernet.setSrc(memory, addr, dstHi, dstLo);
        ethernet.setType(memory, addr, type ^ 1);
        expect(read()).toEqual([srcHi, srcLo, dstHi, dstLo, type ^ 1]);
      }),
    );
  });

  test('a header needs fourteen bytes', () => {
    expect([13, 14].map(ethernet.isLongEnough)).toEqual([false, true]);
  });
});

describe('MAC addresses', () => {
  test('text, bytes and ints are three forms of one thing', () => {
    fc.assert(
      fc.property(six, (mac) => {
        const text = ethernet.formatMac(mac);
        expect(ethernet.parseMac(text)).toEqual(mac);
        expect(ethernet.parseMac(text.toUpperCase().replaceAll(':', '-'))).toEqual(mac);
        expect(ethernet.macBytes(ethernet.macHi(mac), ethernet.macLo(mac))).toEqual(mac);
        expect(ethernet.formatMacInts(ethernet.macHi(mac), ethernet.macLo(mac))).toBe(text);
      }),
    );
  });

  test.each([
    '',
    '00:16:3e:00:00',
    '00:16:3e:00:00:01:02',
    '00:16:3e:00:00:0g',
    '0:16:3e:00:00:01',
    '00-16:3e:00:00:01',
    'x',
  ])('"%s" is none', (text) => {
    expect(() => ethernet.parseMac(text)).toThrow(RangeError);
  });

  test.each([
    ['ff:ff:ff:ff:ff:ff', true, true, false],
    ['01:00:5e:00:00:fb', true, false, false],
    ['00:00:00:00:00:00', false, false, false],
    ['00:16:3e:00:00:01', false, false, true],
    ['fe:ff:ff:ff:ff:ff', false, false, true],
  ])('%s: group %s, broadcast %s, station %s', (text, group, broadcast, station) => {
    const mac = ethernet.parseMac(text);
    const [h, l] = [ethernet.macHi(mac), ethernet.macLo(mac)];
    expect([ethernet.isMulticast(h), ethernet.isBroadcast(h, l), ethernet.isStation(h, l)]).toEqual([
      group,
      broadcast,
      station,
    ]);
  });

  test('random addresses are stations, local or of Xen', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { minLength: 2 }), (numbers) => {
        let i = 0;
        const random = { u32: () => numbers[i++ % numbers.length]! };
        const h = ethernet.macHi(ethernet.randomMac(random));
        expect([ethernet.isMulticast(h), ethernet.isLocal(h)]).toEqual([false, true]);
        expect(ethernet.formatMac(ethernet.randomXenMac(random))).toMatch(/^00:16:3e:[0-7]/);
      }),
    );
  });

  test('a group of IPv4 maps to 01:00:5e and its low 23 bits', () => {
    const mac = ethernet.formatMacInts(ethernet.MULTICAST_HI, ethernet.multicastLo(0xe0ff_fffb | 0));
    expect(mac).toBe('01:00:5e:7f:ff:fb');
  });
});
