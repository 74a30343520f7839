import type { Clock } from '@qanat/clock';
import type { Flow } from '@qanat/stack';
import { success } from './open-file.ts';
import type { PendingCall } from './system-calls.ts';

const BUFFER = new Uint8Array(65536);
/** States in which a lingering close still waits for the peer. */
const LINGERING: readonly string[] = ['ESTABLISHED', 'FIN-WAIT-1', 'CLOSING', 'LAST-ACK', 'CLOSE-WAIT'];

/** Reads up to `bytes` and throws them away; with `peek` they stay. @returns how many there were. */
export function readBytes(flow: Flow, bytes: number, peek: boolean): number {
  if (peek) return Math.min(bytes, flow.readable);
  let taken = 0;
  while (taken < bytes) {
    const part = flow.read(BUFFER.subarray(0, Math.min(bytes - taken, BUFFER.length)));
    if (part === 0) break;
    taken += part;
  }
  return taken;
}

/** close() with SO_LINGER: it waits until the peer has acknowledged everything, at most `us`. */
export function lingeringClose(flow: Flow, clock: Clock, us: number): PendingCall {
  const deadlineUs = clock.now() + us;
  const over = (): boolean => !LINGERING.includes(flow.state) || clock.now() >= deadlineUs;
  return { attempt: () => (over() ? success(0) : undefined), deadlineUs };
}
