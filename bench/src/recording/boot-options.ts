import type { BootOptions } from 'qanat';
import type { Mode } from './protocol.ts';

const GSO_WINDOW_BYTES = 4 << 20;

/** As iperf has them. */
export function bootOptions(mode: Mode): BootOptions {
  if (mode === 'plain') return { netfront: { checksumOffload: false, gso: false, gro: false } };
  return { tcp: { sndBuf: GSO_WINDOW_BYTES, rcvBuf: GSO_WINDOW_BYTES } };
}
