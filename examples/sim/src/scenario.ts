import type { ImpairmentOptions } from '@qanat/link';
import type { TcpConfig } from '@qanat/tcp';

/** Everything that a run depends on, as plain JSON. Times are virtual microseconds from the start of the run. */
export interface Scenario {
  /** Chance of the link, the stacks' secrets, and the applications' data. */
  readonly seed: number;
  /** Largest IP packet of the link in bytes. */
  readonly mtu: number;
  /** What the devices do for TCP; default nothing. The cable carries ordinary frames all the same. */
  readonly offload?: 'checksum' | 'gso';
  /** Frames that each device may have on the way before it is full; default more than ever wait. */
  readonly ringFrames?: number;
  /** The link from host a to host b, and back, while nothing disturbs it. */
  readonly forth: ImpairmentOptions;
  readonly back: ImpairmentOptions;
  readonly disturbances: readonly Disturbance[];
  readonly flows: readonly FlowSpec[];
}

/** What is wrong with the link for a while. Where several overlap, the later in the list rules; delays add up. */
export interface Disturbance {
  readonly fromUs: number;
  readonly untilUs: number;
  readonly way: Way;
  readonly impair: ImpairmentOptions;
}

export type Way = 'forth' | 'back' | 'both';

/** A TCP connection between the hosts. */
export interface FlowSpec {
  readonly startUs: number;
  /** Which host opens it; with `simultaneous` both do. */
  readonly from: 'a' | 'b';
  readonly simultaneous?: boolean;
  /** The end that opens, the other end. */
  readonly ends: readonly [EndSpec, EndSpec];
}

/** One application. What is left out is the ordinary case. */
export interface EndSpec {
  readonly tcp: Partial<TcpConfig>;
  /** What it sends. */
  readonly bytes: number;
  /** Writes before the connection is established (the end that opens). */
  readonly early?: boolean;
  /** Bytes that the end that opens hands over with the call, to go with the SYN where Fast Open allows. Default 0. */
  readonly fastOpenBytes?: number;
  /** Bytes per write call. Default 16384. */
  readonly writeBytes?: number;
  /** Between two writes. Default 0: as fast as the flow takes them. */
  readonly writePauseUs?: number;
  /** Writes that follow each other without a pause. Default 1. */
  readonly burst?: number;
  /** Bytes per read call. Default 16384. */
  readonly readBytes?: number;
  /** Between two reads. Default 0: whenever there is something. */
  readonly readPauseUs?: number;
  /** Reads nothing before so much time has passed since the flow was connected. Default 0. */
  readonly readAfterUs?: number;
  /** Looks at the bytes where they lie, and consumes them. */
  readonly peek?: boolean;
  /** How it ends. Default `shutdown`. */
  readonly finish?: Finish;
  /** For `meet`: when; for `abort`: when, after the start of the flow. */
  readonly finishUs?: number;
  /** Records the flow's events in a ring of so many records. */
  readonly logRecords?: number;
}

/**
 * `shutdown`: FIN after the last byte, close when the peer has ended too. `afterPeer`: FIN only when the peer has
 * ended. `close`: lets go of the flow as soon as everything is written. `meet`: stops sending and shuts down at a given
 * time, whatever was sent. `abort`: reset at a given time.
 */
export type Finish = 'shutdown' | 'afterPeer' | 'close' | 'meet' | 'abort';

/** When the last disturbance is over. */
export function calmUs(scenario: Scenario): number {
  let calm = 0;
  for (const disturbance of scenario.disturbances) calm = Math.max(calm, disturbance.untilUs);
  return calm;
}

/** Whether an application ends a flow so that the other may get a reset instead of data. */
export function mayReset(end: EndSpec): boolean {
  return end.finish === 'abort' || end.finish === 'close';
}
