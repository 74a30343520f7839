import { GNTST_OKAY, type Hypercalls } from '@qanat/xen';
import { BLOCK_BYTES, type BufferPool } from './buffer-pool.ts';
import type { Frame } from './frame.ts';

/** Copies `bytes` bytes of a frame, from `from` of its piece `piece` on, to `to`. @returns false when its grant is bad. */
function copyPiece(
  hypercalls: Hypercalls,
  frame: Frame,
  piece: number,
  from: number,
  to: number,
  bytes: number,
): boolean {
  const ref = frame.refs[piece]!;
  const offset = frame.offsets[piece]! + from;
  const { grants } = frame;
  const page = grants === undefined ? 0 : grants.readable(ref);
  if (page === 0) return hypercalls.grantCopyIn(frame.domid, ref, offset, to, bytes) === GNTST_OKAY;
  grants!.kernel.copy(to, page + offset, bytes);
  return true;
}

/** Copies a frame from its sender's pages into a chain of Dom0's blocks. @returns false when its grants are bad. */
export function copyFrameIn(hypercalls: Hypercalls, frame: Frame, pool: BufferPool, packet: number): boolean {
  let block = packet;
  let at = 0;
  for (let piece = 0; piece < frame.slots; piece++) {
    const size = frame.sizes[piece]!;
    for (let from = 0; from < size; ) {
      const bytes = Math.min(size - from, BLOCK_BYTES - at);
      if (!copyPiece(hypercalls, frame, piece, from, pool.addrOf(block) + at, bytes)) return false;
      from += bytes;
      at += bytes;
      if (at === BLOCK_BYTES) {
        block = pool.next[block]!;
        at = 0;
      }
    }
  }
  return true;
}

/**
 * Copies the first `bytes` bytes of a frame to `addr`. The caller has seen that the frame has as many.
 * @returns false when the sender's grants are bad.
 */
export function copyFrameHead(hypercalls: Hypercalls, frame: Frame, addr: number, bytes: number): boolean {
  let left = bytes;
  for (let piece = 0; left > 0; piece++) {
    const size = Math.min(left, frame.sizes[piece]!);
    if (!copyPiece(hypercalls, frame, piece, 0, addr, size)) return false;
    addr += size;
    left -= size;
  }
  return true;
}
