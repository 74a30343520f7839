export { addSum, copySumFew, FEW_SUMMED, finishSum, foldSum, sumHeader, swapSum } from './checksum.ts';
export type { Kernel, KernelKind } from './kernel.ts';
export { MAX_MEMORY_BYTES, Memory, type MemoryHandle, type MemoryOptions, PAGE_SHIFT, PAGE_SIZE } from './memory.ts';
export { HEADROOM, MAX_FRAGMENTS, PACKET_CSUM_BLANK, PACKET_DATA_VALIDATED, Packet } from './packet.ts';
export { PageAllocator } from './page-allocator.ts';
