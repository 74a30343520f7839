import type { TcpConfig } from '@qanat/tcp';

export const BUILD_NAMES = ['2013', '2013-masked', 'qanat'] as const;
export type BuildName = (typeof BUILD_NAMES)[number];

/** One of the three guests of the lab. */
export interface Build {
  readonly name: BuildName;
  /** Which image it runs. */
  readonly image: 'historical' | 'qanat';
  readonly masked: boolean;
  readonly tcp: Partial<TcpConfig>;
}

/** 65535 scaled by 4: the receive window of the time. */
export const WINDOW_BYTES = 262_140;

/**
 * TCP as the guest of 2013 had it: a window of 262 KB, so 180 segments, 360 slots of a ring that has 256; NewReno without
 * SACK, time stamps, pacing or probes for lost tails; the RTO at least 1 s and 3 s at first, acknowledgments delayed 0.1 s.
 * The timers do not make the stall. They are what ends it, so its length is theirs. (Quick ACKs at the start are ours: else
 * the odd segment of slow start waits 0.1 s for its acknowledgment, and that would look like a stall.)
 */
export const TCP_2013: Partial<TcpConfig> = {
  // So that it is the window that limits, and not the buffer.
  sndBuf: 2 * WINDOW_BYTES,
  rcvBuf: WINDOW_BYTES,
  autoTune: false,
  congestion: 'newreno',
  initialCwnd: 2,
  delayedAckUs: 100_000,
  initialRtoUs: 3_000_000,
  minRtoUs: 1_000_000,
  sack: false,
  dsack: false,
  timestamps: false,
  rack: false,
  lossProbe: false,
  pacing: false,
  frto: false,
  ecn: 'off',
  fastOpenClient: false,
  mtuProbing: 'off',
};

export const BUILDS: Readonly<Record<BuildName, Build>> = {
  '2013': { name: '2013', image: 'historical', masked: false, tcp: TCP_2013 },
  '2013-masked': { name: '2013-masked', image: 'historical', masked: true, tcp: TCP_2013 },
  qanat: { name: 'qanat', image: 'qanat', masked: false, tcp: {} },
};
