/**
 * `struct shared_info` and `struct vcpu_info` of an x86-64 guest (xen/include/public/xen.h), and the start info page.
 * Offsets in bytes; fields are little-endian. A 64-bit word of Xen's is two 32-bit halves here: bit n of a bitmap of
 * words lies in half n >>> 5, at bit n & 31, whichever size the words have.
 */

/** Bits in an event-channel word. */
export const EVTCHN_WORD_BITS = 64;
/** Ports of a 2-level domain: 64 words of 64 bits. Port 0 is reserved. */
export const EVTCHN_PORTS = EVTCHN_WORD_BITS * EVTCHN_WORD_BITS;
export const MAX_LEGACY_VCPUS = 32;

/** `vcpu_info[32]` stands first. */
export const VCPU_INFO_BYTES = 64;
/** u8: an event waits for this vcpu. */
export const VCPU_UPCALL_PENDING = 0;
/** u8: the vcpu takes no upcalls (PV). */
export const VCPU_UPCALL_MASK = 1;
/** u64: which words of evtchn_pending to look at. */
export const VCPU_PENDING_SEL = 8;

/** u64[64], bit = port. */
export const SHARED_EVTCHN_PENDING = 2048;
/** u64[64], bit = port. */
export const SHARED_EVTCHN_MASK = 2560;

/** The same for a 32-bit guest, whom this machine does not run: 32 words of 32 bits. */
export const SHARED_EVTCHN_MASK_32 = 2176;
export const VCPU_PENDING_SEL_32 = 4;

/** `struct start_info`, x86-64. */
export const START_INFO_MAGIC = 'xen-3.0-x86_64';
export const START_NR_PAGES = 32;
export const START_SHARED_INFO = 40;
export const START_FLAGS = 48;
export const START_STORE_MFN = 56;
export const START_STORE_EVTCHN = 64;
export const START_CONSOLE_MFN = 72;
export const START_CONSOLE_EVTCHN = 80;
export const START_CMD_LINE = 128;
export const START_CMD_LINE_BYTES = 1024;
/** The domain has hardware privileges / is the initial domain: set for Dom0. */
export const SIF_PRIVILEGED = 1;
export const SIF_INITDOMAIN = 2;
