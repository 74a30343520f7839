/** Computes a CRC-32 (IEEE 802.3), or goes on from that of the bytes before. @returns uint32. */
export type Crc32 = (bytes: Uint8Array, previous?: number) => number;

/** The reversed polynomial of IEEE 802.3, zlib and PNG. */
const POLYNOMIAL = 0xedb8_8320;
const SLICES = 8;

/** `TABLES[256 * n + byte]`: what `byte` does to the remainder when n more bytes follow it. */
const TABLES = makeTables();

/**
 * CRC-32 eight bytes at a step (slicing-by-8), because every chunk of a flow log that is written while the flow runs
 * costs this; needs nothing but typed arrays. The same as buffer-crc32's, which a test holds.
 */
export const crc32: Crc32 = (bytes, previous = 0) => {
  const length = bytes.length;
  let crc = ~previous;
  let i = 0;
  if (length >= 32) {
    // Words can be read where addresses are multiples of 4.
    for (; ((bytes.byteOffset + i) & 3) !== 0; i++) crc = TABLES[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + i, (length - i) >>> 2);
    const pairs = words.length >>> 1;
    crc = crcOfPairs(words, pairs, crc);
    i += pairs * 8;
  }
  for (; i < length; i++) crc = TABLES[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
};

/** Words are read in the byte order of the machine: little-endian, as every machine that runs JavaScript today. */
function crcOfPairs(words: Int32Array, pairs: number, crc: number): number {
  for (let pair = 0; pair < pairs; pair++) {
    const a = words[2 * pair]! ^ crc;
    const b = words[2 * pair + 1]!;
    crc =
      TABLES[0x700 | (a & 0xff)]! ^
      TABLES[0x600 | ((a >>> 8) & 0xff)]! ^
      TABLES[0x500 | ((a >>> 16) & 0xff)]! ^
      TABLES[0x400 | (a >>> 24)]! ^
      TABLES[0x300 | (b & 0xff)]! ^
      TABLES[0x200 | ((b >>> 8) & 0xff)]! ^
      TABLES[0x100 | ((b >>> 16) & 0xff)]! ^
      TABLES[b >>> 24]!;
  }
  return crc;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(256 * SLICES);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[byte] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!;
    tables[i] = tables[before & 0xff]! ^ (before >>> 8);
  }
  return tables;
}
