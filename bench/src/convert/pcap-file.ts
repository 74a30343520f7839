import type { CapturedFrames } from '@qanat/flowlog';

const HEADER_BYTES = 24;
const RECORD_BYTES = 16;
const NANOSECONDS = 0xa1b2_3c4d;
const SNAP_BYTES = 262_144;

/** The packets of a capture as a pcap file, with nanoseconds. */
export function pcapOf({
  bytes,
  rows,
  timeUs,
  offset,
  capturedBytes,
  originalBytes,
  linkType,
}: CapturedFrames): Uint8Array {
  const length = capturedBytes.reduce((sum, captured) => sum + RECORD_BYTES + captured, HEADER_BYTES);
  const file = new Uint8Array(length);
  const view = new DataView(file.buffer);
  view.setUint32(0, NANOSECONDS, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, SNAP_BYTES, true);
  view.setUint32(20, linkType[0] ?? 1, true);
  let at = HEADER_BYTES;
  for (let row = 0; row < rows; row++) {
    const seconds = Math.floor(timeUs[row]! / 1e6);
    view.setUint32(at, seconds, true);
    view.setUint32(at + 4, Math.floor((timeUs[row]! - seconds * 1e6) * 1000), true);
    view.setUint32(at + 8, capturedBytes[row]!, true);
    view.setUint32(at + 12, originalBytes[row]!, true);
    file.set(bytes.subarray(offset[row]!, offset[row]! + capturedBytes[row]!), at + RECORD_BYTES);
    at += RECORD_BYTES + capturedBytes[row]!;
  }
  return file;
}
