/** The shared part of a ring (xen/include/public/io/ring.h), all u32 but the slots. */
export const SRING_REQ_PROD = 0;
export const SRING_REQ_EVENT = 4;
export const SRING_RSP_PROD = 8;
export const SRING_RSP_EVENT = 12;
/** Four bytes for the protocol. */
export const SRING_PVT = 16;
/** First slot. */
export const SRING_RING = 64;
export const SRING_PAGE_BYTES = 4096;

/** @returns how many slots fit in a page: the largest power of two. */
export function ringEntries(slotBytes: number): number {
  const fit = Math.floor((SRING_PAGE_BYTES - SRING_RING) / slotBytes);
  return 1 << (31 - Math.clz32(fit));
}
