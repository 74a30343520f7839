import { GNTST_OKAY, type Hypercalls } from '@qanat/xen';
import { BLOCK_BYTES, type BufferPool } from './buffer-pool.ts';
import type { Frame } from './frame.ts';

/** Copies a frame from its sender's pages into a chain of Dom0's blocks. @returns false when its grants are bad. */
export function copyFrameIn(hypercalls: Hypercalls, frame: Frame, pool: BufferPool, packet: number): boolean {
  let block = packet;
  let at = 0;
  for (let piece = 0; piece < frame.slots; piece++) {
    const size = frame.sizes[piece]!;
    for (let from = 0; from < size; ) {
      const bytes = Math.min(size - from, BLOCK_BYTES - at);
      const offset = frame.offsets[piece]! + from;
      const addr = pool.addrOf(block) + at;
      if (hypercalls.grantCopyIn(frame.domid, frame.refs[piece]!, offset, addr, bytes) !== GNTST_OKAY) return false;
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
    const status = hypercalls.grantCopyIn(frame.domid, frame.refs[piece]!, frame.offsets[piece]!, addr, size);
    if (status !== GNTST_OKAY) return false;
    addr += size;
    left -= size;
  }
  return true;
}
