/** The package's own types for ES modules are empty. */
declare module 'buffer-crc32' {
  const crc32: {
    /** CRC-32 as uint32. @param previous that of the bytes before. */
    unsigned(bytes: Uint8Array, previous?: number): number;
  };
  export default crc32;
}
