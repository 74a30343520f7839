import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatRate, formatUs, parseBytes, parseDelayUs, parsePercent, parseRate } from '../src/units.ts';

describe('numbers that are read', () => {
  it.each([
    ['1', 1],
    ['128K', 131_072],
    ['128k', 131_072],
    ['1.5M', 1_572_864],
    ['.5K', 512],
    ['2G', 2 ** 31],
    ['1T', 2 ** 40],
    ['0.3', 0],
  ])('%s is %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each([
    ['1000', 1000],
    ['10K', 10_000],
    ['100M', 1e8],
    ['2.5g', 2.5e9],
  ])('%s is %d bits per second', (text, rate) => expect(parseRate(text)).toBe(rate));

  it.each([
    ['10', 10_000],
    ['10ms', 10_000],
    ['250us', 250],
    ['1.5s', 1_500_000],
    ['0', 0],
  ])('%s is %d us', (text, us) => expect(parseDelayUs(text)).toBe(us));

  it.each([
    ['1', 0.01],
    ['0.1%', 0.001],
    ['100%', 1],
  ])('%s is a share of %d', (text, share) => expect(parsePercent(text)).toBeCloseTo(share, 12));

  it.each(['', 'x', '1X', '-1', '1 K K', '1e3', '0x10', '1,5', 'K', '.', '1..2', 'NaN', 'Infinity'])(
    '"%s" is no number',
    (text) => {
      for (const parse of [parseBytes, parseRate, parseDelayUs, parsePercent]) expect(parse(text)).toBeNaN();
    },
  );
});

describe('numbers that are written', () => {
  it.each([
    [0, '0.00 Bytes'],
    [999, ' 999 Bytes'],
    [1024, '1.00 KBytes'],
    [10_200, '9.96 KBytes'],
    [10_240, '10.0 KBytes'],
    [1_310_720, '1.25 MBytes'],
    [131_072 * 1024, ' 128 MBytes'],
    [5.22 * 2 ** 30, '5.22 GBytes'],
    [1023.9 * 1024, '1024 KBytes'],
    [3 * 2 ** 50, '3072 TBytes'],
  ])('%d bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0, '0.00 bits/sec'],
    [44_900_000_000, '44.9 Gbits/sec'],
    [999_700, '1000 Kbits/sec'],
    [1_000_000, '1.00 Mbits/sec'],
  ])('%d bits per second', (rate, text) => expect(formatRate(rate)).toBe(text));

  it.each([
    [0, '0 us'],
    [999, '999 us'],
    [12_345, '12.35 ms'],
    [123_456, '123.5 ms'],
    [9_500_000, '9.50 s'],
  ])('%d us', (us, text) => expect(formatUs(us)).toBe(text));

  it('always takes four places and one unit', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2 ** 49, noNaN: true }), (bytes) => {
        expect(formatBytes(bytes)).toMatch(/^[ \d][.\d]{3} [KMGT]?Bytes$/);
        expect(formatRate(bytes)).toMatch(/^[ \d][.\d]{3} [KMGT]?bits\/sec$/);
      }),
    );
  });
});
