/** Decimal digits into bytes: each function writes at `at` and returns where the next byte goes. */

const DIGIT_0 = 0x30;
const POINT_BELOW_0 = 0x30 - 0x2e;
const TEN_TO_4 = 10_000;
const TEN_TO_8 = 100_000_000;

/** The four digits of 0..9999, little-endian; and the same without zeros in front, and how many are left then. */
const FOUR = new Uint32Array(TEN_TO_4);
const LEADING = new Uint32Array(TEN_TO_4);
const COUNT = new Uint8Array(TEN_TO_4);
for (let value = 0; value < TEN_TO_4; value++) {
  let word = 0;
  for (let rest = value, i = 0; i < 4; i++, rest = Math.floor(rest / 10)) {
    word = (word << 8) | (DIGIT_0 + (rest % 10));
  }
  const count = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : 4;
  FOUR[value] = word;
  LEADING[value] = word >>> (8 * (4 - count));
  COUNT[value] = count;
}

/** The 32 bits of `value` as 0..2^32-1, without zeros in front: at most 10 bytes, up to 13 are touched. */
export function putUint32(view: DataView, at: number, value: number): number {
  if (value >= 0 && value < TEN_TO_8) {
    const high = (value / TEN_TO_4) | 0;
    const low = (value - high * TEN_TO_4) | 0;
    if (high === 0) {
      view.setUint32(at, LEADING[low]!, true);
      return at + COUNT[low]!;
    }
    view.setUint32(at, LEADING[high]!, true);
    at += COUNT[high]!;
    view.setUint32(at, FOUR[low]!, true);
    return at + 4;
  }
  value >>>= 0;
  const top = (value / TEN_TO_8) | 0;
  view.setUint32(at, LEADING[top]!, true);
  at += COUNT[top]!;
  return putEight(view, at, (value - top * TEN_TO_8) | 0);
}

/** A whole number of 0..2^53-1: at most 16 bytes, up to 19 are touched. */
export function putWhole(view: DataView, at: number, value: number): number {
  if (value < 0x1_0000_0000) return putUint32(view, at, value);
  const high = Math.floor(value / TEN_TO_8);
  return putEight(view, putUint32(view, at, high), value - high * TEN_TO_8);
}

/** Eight digits of 0..10^8-1, with zeros in front. */
export function putEight(view: DataView, at: number, value: number): number {
  const high = (value / TEN_TO_4) | 0;
  view.setUint32(at, FOUR[high]!, true);
  view.setUint32(at + 4, FOUR[(value - high * TEN_TO_4) | 0]!, true);
  return at + 8;
}

/** A point and three digits of 0..999. */
export function putThousandths(view: DataView, at: number, value: number): number {
  // Of four digits the first is 0, and becomes the point.
  view.setUint32(at, FOUR[value]! - POINT_BELOW_0, true);
  return at + 4;
}

/** A point and six digits of 0..999999. */
export function putMillionths(view: DataView, at: number, value: number): number {
  const thousandths = (value / 1000) | 0;
  view.setUint32(at + 3, FOUR[value - 1000 * thousandths]!, true);
  view.setUint32(at, FOUR[thousandths]! - POINT_BELOW_0, true);
  return at + 7;
}

/**
 * A double so that it reads back as itself, integers and nanoseconds by hand.
 * @returns -1 when it is another one: nothing is written then. At most 20 bytes, up to 24 are touched.
 */
export function putDouble(view: DataView, at: number, value: number): number {
  const whole = Math.floor(value);
  if (whole === value && value > 0 && value <= Number.MAX_SAFE_INTEGER) return putWhole(view, at, value);
  // A quotient is rounded as the decimal fraction is when it is read: the same double.
  const thousandths = Math.round(value * 1000);
  if (!(value >= 0 && thousandths <= Number.MAX_SAFE_INTEGER && thousandths / 1000 === value) || Object.is(value, -0)) {
    return -1;
  }
  const fraction = thousandths - whole * 1000;
  return fraction === 0 ? putWhole(view, at, whole) : putThousandths(view, putWhole(view, at, whole), fraction);
}
