import { Memory } from '@qanat/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ParsedOptions, type SynOptions, synOptionsBytes, writeSynOptions } from '../src/options.ts';
import { decodeOptions, encodeOptions, type Option } from './wire-text.ts';

const memory = Memory.create({ bytes: 1 << 16, kernel: 'typescript' });
const AT = 4096;

/** Parses options that stand behind a header of 20 bytes; what follows the header is junk that must not be read. */
function parse(options: Uint8Array, into = new ParsedOptions(), shift = 0): ParsedOptions {
  const at = AT + shift;
  memory.u8.fill(0x08, at, at + 200);
  memory.u8.set(options, at + 20);
  into.parse(memory, at, 20 + options.length);
  return into;
}

const bytes = (...list: number[]) => {
  while (list.length & 3) list.push(0);
  return Uint8Array.from(list);
};
const NOTHING = { hasTimestamps: false, mss: 0, windowShift: -1, sackPermitted: false, sackCount: 0 };

describe('the option parser', () => {
  it('reads each option, alone and together, in any order [MUST-4] [MUST-68]', () => {
    const all: Option[] = [
      { kind: 'mss', value: 1234 },
      { kind: 'sackOK' },
      { kind: 'TS', val: -5, ecr: 77 },
      { kind: 'wscale', value: 9 },
      { kind: 'sack', blocks: [[100, 200]] },
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(all), fc.array(fc.nat(30), { maxLength: 6 }), (options, nops) => {
        const padded: Option[] = [...options];
        for (const at of nops) padded.splice(at % (padded.length + 1), 0, { kind: 'nop' });
        const encoded = encodeOptions(padded);
        if (encoded.length > 40) return;
        const parsed = parse(encoded);
        const has = (kind: string) => options.some((o) => o.kind === kind);
        expect(parsed.mss).toBe(has('mss') ? 1234 : 0);
        expect(parsed.sackPermitted).toBe(has('sackOK'));
        expect(parsed.hasTimestamps).toBe(has('TS'));
        if (has('TS')) expect([parsed.tsVal, parsed.tsEcr]).toEqual([-5, 77]);
        expect(parsed.windowShift).toBe(has('wscale') ? 9 : -1);
        expect(parsed.sackCount).toBe(has('sack') ? 1 : 0);
        if (has('sack')) expect([parsed.sackLeft[0], parsed.sackRight[0]]).toEqual([100, 200]);
      }),
    );
  });

  it('reads options at every alignment [MUST-64]', () => {
    for (let nops = 0; nops < 8; nops++) {
      const options: Option[] = Array.from({ length: nops }, () => ({ kind: 'nop' }));
      options.push({ kind: 'TS', val: 0x01020304, ecr: 0x05060708 });
      expect(parse(encodeOptions(options))).toMatchObject({
        hasTimestamps: true,
        tsVal: 0x01020304,
        tsEcr: 0x05060708,
      });
      for (let shift = 0; shift < 4; shift++) {
        expect(parse(encodeOptions(options), new ParsedOptions(), shift)).toMatchObject({ tsVal: 0x01020304 });
      }
    }
  });

  it('forgets what the segment before said', () => {
    const parsed = parse(
      encodeOptions([{ kind: 'mss', value: 9 }, { kind: 'sackOK' }, { kind: 'sack', blocks: [[1, 2]] }]),
    );
    expect(parse(new Uint8Array(0), parsed)).toMatchObject(NOTHING);
    parse(
      encodeOptions([
        { kind: 'wscale', value: 3 },
        { kind: 'TS', val: 1, ecr: 2 },
      ]),
      parsed,
    );
    expect(parse(bytes(1, 1, 1, 1), parsed)).toMatchObject(NOTHING);
  });

  it('reads up to four SACK blocks', () => {
    for (let n = 1; n <= 4; n++) {
      const blocks = Array.from({ length: n }, (_, i): [number, number] => [i * 100, i * 100 + 50]);
      const parsed = parse(encodeOptions([{ kind: 'nop' }, { kind: 'nop' }, { kind: 'sack', blocks }]));
      expect(parsed.sackCount).toBe(n);
      expect([...parsed.sackLeft.subarray(0, n)]).toEqual(blocks.map(([l]) => l));
    }
  });

  it('stops at the end of options, whatever follows', () => {
    expect(parse(bytes(0, 2, 4, 5, 220))).toMatchObject(NOTHING);
    expect(parse(bytes(1, 0, 3, 3, 7))).toMatchObject(NOTHING);
  });

  it.each([
    ['a length of zero', bytes(2, 0, 5, 220)],
    ['a length of one', bytes(2, 1, 5, 220)],
    ['a length past the header', bytes(2, 8, 5, 220)],
    ['a length of 255', bytes(99, 255, 1, 1)],
    ['a kind without a length at the very end', bytes(1, 1, 1, 2)],
    ['an unknown kind of length zero', bytes(253, 0, 1, 1)],
    ['an MSS that is too short', bytes(2, 3, 5, 1)],
    ['an MSS that is too long', bytes(2, 6, 5, 220, 0, 0)],
    ['a scale that is too short', bytes(3, 2, 1, 1)],
    ['a scale that is too long', bytes(3, 4, 7, 1)],
    ['a SACK-permitted with a body', bytes(4, 3, 1, 1)],
    ['timestamps that are too short', bytes(8, 9, 1, 2, 3, 4, 5, 6, 7, 1, 1, 1)],
    ['timestamps that are cut', bytes(1, 1, 8, 10, 1, 2, 3, 4)],
    ['a SACK without blocks', bytes(5, 2, 1, 1)],
    ['a SACK with half a block', bytes(1, 1, 5, 6, 0, 0, 0, 1)],
    ['a SACK whose length is no multiple of a block', bytes(1, 5, 11, 0, 0, 0, 1, 0, 0, 0, 2, 9)],
    ['a SACK that is cut', bytes(1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2)],
  ])('takes nothing from %s [MUST-7]', (_, options) => {
    expect(parse(options)).toMatchObject(NOTHING);
  });

  it('takes what stands before the malformed option [MUST-7] [MUST-6]', () => {
    expect(parse(bytes(2, 4, 4, 210, 3, 0, 1, 1))).toMatchObject({ mss: 1234, windowShift: -1 });
    expect(parse(bytes(77, 3, 9, 2, 4, 4, 210, 8, 99))).toMatchObject({ mss: 1234, hasTimestamps: false });
  });

  it('survives any bytes and reads none beyond the header', () => {
    const parsed = new ParsedOptions();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (raw) => {
        const options = raw.subarray(0, raw.length & ~3);
        parse(options, parsed);
        expect(parsed.sackCount).toBeLessThanOrEqual(4);
        expect(parsed.windowShift).toBeLessThanOrEqual(14);
        const first = { ...parsed, sackLeft: [...parsed.sackLeft], sackRight: [...parsed.sackRight] };
        // Other bytes behind the header: the same answer.
        memory.u8.set(options, AT + 20);
        memory.u8.fill(0xff, AT + 20 + options.length, AT + 200);
        parsed.parse(memory, AT, 20 + options.length);
        const second = { ...parsed, sackLeft: [...parsed.sackLeft], sackRight: [...parsed.sackRight] };
        expect(second).toEqual(first);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the options of a SYN', () => {
  it('are as long as announced, a multiple of four, and read back as written [MUST-69]', () => {
    for (const windowShift of [-1, 0, 7, 14]) {
      for (const sackPermitted of [false, true]) {
        for (const timestamps of [false, true]) {
          const o: SynOptions = { mss: 1460, windowShift, sackPermitted, timestamps, tsVal: 5, tsEcr: 6 } as SynOptions;
          memory.u8.fill(0xee, AT, AT + 100);
          const length = writeSynOptions(memory, AT + 20, o);
          expect(length).toBe(synOptionsBytes(o));
          expect(length & 3).toBe(0);
          expect(memory.u8[AT + 20 + length]).toBe(0xee);
          const list = decodeOptions(memory.u8.slice(AT + 20, AT + 20 + length));
          expect(list.filter((x) => x.kind !== 'nop').map((x) => x.kind)).toEqual([
            'mss',
            ...(sackPermitted ? ['sackOK'] : []),
            ...(timestamps ? ['TS'] : []),
            ...(windowShift >= 0 ? ['wscale'] : []),
          ]);
        }
      }
    }
  });
});
