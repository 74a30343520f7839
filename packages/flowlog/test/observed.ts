import type { ObservedOptions, WindowState } from '@qanat/tcp';

/** The options of a segment that has none. */
export const NO_OPTIONS: ObservedOptions = {
  hasTimestamps: false,
  tsVal: 0,
  tsEcr: 0,
  mss: 0,
  windowShift: -1,
  sackPermitted: false,
  cookieBytes: -1,
  sackCount: 0,
  sackLeft: new Int32Array(4),
  sackRight: new Int32Array(4),
};

/** A connection in recovery. */
export const WINDOW: WindowState = {
  sndNxt: -1,
  segAck: 2,
  sndUna: 3,
  rcvNxt: 4,
  backoff: 5,
  sndWnd: 6,
  rcvWnd: 7,
  cwnd: 8,
  ssthresh: 0x7fff_ffff,
  mss: 1448,
  inRecovery: true,
  recoveryPoint: -11,
  segmentsInFlight: 3,
  rtt: { srttUs: 100, rttvarUs: 50, minRttUs: 90 },
  rtoUs: 200_000,
  paced: true,
  paceUsPerByte: 0.5,
  reordering: 3,
  caState: 3,
  state: 1,
};
