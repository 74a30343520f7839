/** Cutting a datagram into fragments (RFC 791 section 3.2), options and fragments of fragments included. */
import { finishSum, type Memory } from '@qanat/bytes';
import {
  FLAG_DF,
  FLAG_MF,
  FRAGMENT_OFFSET_MASK,
  getFlags,
  getHeaderBytes,
  getTotalLength,
  headerSum,
  IPV4_HEADER_BYTES,
  OFFSET_CHECKSUM,
  OFFSET_FLAGS,
  OFFSET_TOTAL_LENGTH,
} from './wire.ts';

const OPTION_END = 0;
const OPTION_NOP = 1;
/** Options with this bit go into every fragment. */
const OPTION_COPIED = 0x80;

/**
 * @param addr a checked datagram with its header.
 * @returns how many packets of at most `mtu` bytes it makes; 1 when it fits; 0 when DF forbids it, or no payload fits.
 */
export function fragmentCount(memory: Memory, addr: number, mtu: number): number {
  const totalLength = getTotalLength(memory, addr);
  if (totalLength <= mtu) return 1;
  if ((getFlags(memory, addr) & FLAG_DF) !== 0) return 0;
  const headerBytes = getHeaderBytes(memory, addr);
  const chunk = (mtu - headerBytes) & ~7;
  if (chunk <= 0) return 0;
  return Math.ceil((totalLength - headerBytes) / chunk);
}

/**
 * Writes fragment `index` (below `fragmentCount`) of the datagram at `addr` to `to`, header and checksum included.
 * @param to room for `mtu` bytes that does not overlap the datagram.
 * @returns its length in bytes.
 */
export function writeFragment(memory: Memory, addr: number, mtu: number, index: number, to: number): number {
  const headerBytes = getHeaderBytes(memory, addr);
  const payloadBytes = getTotalLength(memory, addr) - headerBytes;
  // The first header is the longest: its chunk serves all fragments.
  const chunk = (mtu - headerBytes) & ~7;
  const offset = index * chunk;
  const bytes = Math.min(chunk, payloadBytes - offset);
  const last = offset + bytes === payloadBytes;

  let newHeaderBytes = headerBytes;
  if (index === 0) memory.kernel.copy(to, addr, headerBytes);
  else newHeaderBytes = copyHeaderForLaterFragment(memory, addr, headerBytes, to);
  memory.kernel.copy(to + newHeaderBytes, addr + headerBytes + offset, bytes);

  const flags = getFlags(memory, addr);
  const newFlags =
    (flags & ~FRAGMENT_OFFSET_MASK) | (last ? 0 : FLAG_MF) | ((flags & FRAGMENT_OFFSET_MASK) + (offset >>> 3));
  memory.view.setUint16(to + OFFSET_TOTAL_LENGTH, newHeaderBytes + bytes);
  memory.view.setUint16(to + OFFSET_FLAGS, newFlags);
  memory.view.setUint16(to + OFFSET_CHECKSUM, 0);
  memory.view.setUint16(to + OFFSET_CHECKSUM, finishSum(headerSum(memory, to, newHeaderBytes)));
  return newHeaderBytes + bytes;
}

/** Copies the header with only those options that go into every fragment. @returns its length. */
function copyHeaderForLaterFragment(memory: Memory, addr: number, headerBytes: number, to: number): number {
  const u8 = memory.u8;
  memory.kernel.copy(to, addr, IPV4_HEADER_BYTES);
  let length = IPV4_HEADER_BYTES;
  for (let i = IPV4_HEADER_BYTES; i < headerBytes; ) {
    const type = u8[addr + i]!;
    if (type === OPTION_END) break;
    if (type === OPTION_NOP) {
      i++;
      continue;
    }
    const bytes = i + 1 < headerBytes ? u8[addr + i + 1]! : 0;
    if (bytes < 2 || i + bytes > headerBytes) break;
    if ((type & OPTION_COPIED) !== 0) {
      memory.kernel.copy(to + length, addr + i, bytes);
      length += bytes;
    }
    i += bytes;
  }
  while ((length & 3) !== 0) u8[to + length++] = OPTION_END;
  u8[to] = 0x40 | (length >>> 2);
  return length;
}
