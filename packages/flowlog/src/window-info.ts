/**
 * The `info` column of a window update:
 *
 * | bits  | what |
 * |-------|------|
 * | 0-7   | backoff: consecutive retransmission timeouts |
 * | 8     | in recovery (the fast_recovery of 2013) |
 * | 9-11  | congestion state, as Linux's tcpi_ca_state |
 * | 12-15 | what limits the sender |
 * | 16-31 | reordering, in segments |
 */
export const CA_NAMES: readonly string[] = ['Open', 'Disorder', 'CWR', 'Recovery', 'Loss'];

/** Nothing to send. */
export const LIMITED_NONE = 0;
export const LIMITED_APPLICATION = 1;
/** The peer's window. */
export const LIMITED_RWND = 2;
export const LIMITED_CWND = 3;
export const LIMITED_PACING = 4;
/** The TX ring or another device refuses. */
export const LIMITED_DEVICE = 5;
/** Nagle's algorithm or corking holds a small segment back. */
export const LIMITED_NAGLE = 6;

export const LIMITED_NAMES: readonly string[] = [
  'idle',
  'application',
  'receive window',
  'congestion window',
  'pacing',
  'TX ring',
  'Nagle',
];

const IN_RECOVERY = 0x100;

/** @returns the column's value. */
export function windowInfo(
  backoff: number,
  inRecovery: boolean,
  caState: number,
  limitedBy: number,
  reordering: number,
): number {
  const low = Math.min(backoff, 0xff) | (inRecovery ? IN_RECOVERY : 0) | ((caState & 0x7) << 9);
  return low | ((limitedBy & 0xf) << 12) | (Math.min(reordering, 0xffff) << 16);
}

export function backoff(info: number): number {
  return info & 0xff;
}

export function isInRecovery(info: number): boolean {
  return (info & IN_RECOVERY) !== 0;
}

/** @returns an index into CA_NAMES. */
export function caState(info: number): number {
  return (info >>> 9) & 0x7;
}

/** @returns an index into LIMITED_NAMES. */
export function limitedBy(info: number): number {
  return (info >>> 12) & 0xf;
}

/** @returns segments. */
export function reordering(info: number): number {
  return info >>> 16;
}
