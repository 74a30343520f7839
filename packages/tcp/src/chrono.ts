import type { Connection } from './connection.ts';
import { STOP_WINDOW } from './send-policy.ts';

/** What a sender with work to do waits for, as Linux's tcp_info accounts it. */
export const CHRONO_NONE = 0;
export const CHRONO_BUSY = 1;
/** The peer's window is full. */
export const CHRONO_RWND = 2;
/** Everything written is sent, and the application found no room for more. */
export const CHRONO_SNDBUF = 3;

/** Accounts the time since the last call to what was the matter then, and notes what is the matter now. */
export function updateChrono(c: Connection, stop: number): void {
  let now = CHRONO_NONE;
  if (c.snd.bytes > 0) {
    if (stop === STOP_WINDOW) now = CHRONO_RWND;
    else if (c.wantWrite && c.snd.end === c.sndNxt) now = CHRONO_SNDBUF;
    else now = CHRONO_BUSY;
  }
  if (now !== c.chrono) setChrono(c, now);
}

function setChrono(c: Connection, to: number): void {
  const nowUs = c.tcp.nowUs;
  settleChrono(c, nowUs);
  c.chrono = to;
}

/** Adds the time since the last change; before the figures are read. */
export function settleChrono(c: Connection, nowUs: number): void {
  const us = nowUs - c.chronoSinceUs;
  c.chronoSinceUs = nowUs;
  if (c.chrono === CHRONO_NONE || us <= 0) return;
  c.busyUs += us;
  if (c.chrono === CHRONO_RWND) c.rwndLimitedUs += us;
  else if (c.chrono === CHRONO_SNDBUF) c.sndbufLimitedUs += us;
}
