/**
 * The `info` column of a segment:
 *
 * | bits  | what |
 * |-------|------|
 * | 0     | direction: 0 TX, 1 RX |
 * | 1     | has the timestamps option |
 * | 8-15  | TCP flags as on the wire: CWR ECE URG ACK PSH RST SYN FIN |
 * | 16-20 | why it was sent again (0: it was not) |
 * | 24-26 | number of SACK blocks |
 */
export const SEGMENT_RX = 1;
export const SEGMENT_TIMESTAMPS = 2;
const FLAGS_SHIFT = 8;
const REASON_SHIFT = 16;
const SACKS_SHIFT = 24;

export const REASON_NONE = 0;
/** Fast retransmission, RACK's included. */
export const REASON_FAST = 1;
/** The head, by a retransmission timeout. */
export const REASON_RTO = 2;
/** Tail loss probe. */
export const REASON_LOSS_PROBE = 3;
/** After a timeout, in slow start or as F-RTO allows. */
export const REASON_AFTER_RTO = 4;
/** A SYN or SYN-ACK again. */
export const REASON_SYN = 5;
/** Keep-alive or zero-window probe. */
export const REASON_PROBE = 6;
/** The path's MTU shrank. */
export const REASON_MTU = 7;
export const REASON_OTHER = 15;

const REASON_NAMES: readonly string[] = ['', 'fast', 'RTO', 'loss probe', 'after RTO', 'SYN', 'probe', 'MTU'];

export function reasonName(reason: number): string {
  return REASON_NAMES[reason] ?? 'other';
}

/** @param flags TCP flag bits. @param reason one of REASON_*. @returns the column's value. */
export function segmentInfo(
  isRx: boolean,
  flags: number,
  reason: number,
  hasTimestamps: boolean,
  sackBlocks: number,
): number {
  const low = (isRx ? SEGMENT_RX : 0) | (hasTimestamps ? SEGMENT_TIMESTAMPS : 0) | ((flags & 0xff) << FLAGS_SHIFT);
  return low | ((reason & 0x1f) << REASON_SHIFT) | ((sackBlocks & 0x7) << SACKS_SHIFT);
}

export function isReceived(info: number): boolean {
  return (info & SEGMENT_RX) !== 0;
}

export function hasTimestamps(info: number): boolean {
  return (info & SEGMENT_TIMESTAMPS) !== 0;
}

export function segmentFlags(info: number): number {
  return (info >>> FLAGS_SHIFT) & 0xff;
}

export function segmentReason(info: number): number {
  return (info >>> REASON_SHIFT) & 0x1f;
}

export function sackBlocks(info: number): number {
  return (info >>> SACKS_SHIFT) & 0x7;
}
