/** What the command and the domains tell each other: plain data that survives structured clone. */
import type { Trace } from '@qanat/flowlog';
import type { KernelStats } from '@qanat/os';
import type { TcpConfig } from '@qanat/tcp';
import type { DriverState } from './historical/netif.ts';

/** The `args` of the images. */
export interface GuestArgs {
  readonly role: 'sender' | 'receiver';
  readonly masked: boolean;
  readonly serverIp: string;
  readonly port: number;
  readonly durationUs: number;
  readonly tcp: Partial<TcpConfig>;
  /** Rows of each table that the flow recorder keeps, the oldest give way; 0 for no recorder. */
  readonly records: number;
  /** Of the shipped driver: Dom0 may keep the frontend's pages mapped and copy without hypercalls. */
  readonly persistentGrants: boolean;
}

/** A sleep that began with work left: the lost wake-up. Times are microseconds of the machine's clock. */
export interface LostWakeup {
  readonly domain: string;
  readonly atUs: number;
  readonly wokeUs: number;
  /** The port whose event ended it, or 0 for a timer. */
  readonly wokeBy: number;
  /** What the sleep auditor found left. */
  readonly faults: readonly string[];
  /** The words of the event channels that were not zero. */
  readonly events: string;
  readonly state: DriverState;
}

/** A point of the curves: columns of the same length. */
export interface Samples {
  readonly timeUs: Float64Array;
  /** Receiver: bytes taken from TCP; sender: bytes acknowledged. */
  readonly bytes: Float64Array;
  /** Microseconds that the vcpu has slept so far. */
  readonly blockedUs: Float64Array;
  /** Slots of the transmit ring that are occupied. */
  readonly txUsed: Int16Array;
}

/** A pause in what arrives. */
export interface Pause {
  readonly fromUs: number;
  readonly toUs: number;
}

/** When timers of TCP ran out, in microseconds. */
export interface TimersRan {
  readonly retransmissionUs: readonly number[];
  readonly delayedAckUs: readonly number[];
}

export interface GuestReport {
  readonly role: 'sender' | 'receiver';
  readonly startUs: number;
  readonly endUs: number;
  readonly bytes: number;
  readonly retransmits: number;
  /** Segments that were sent and not acknowledged at the end. */
  readonly unacked: number;
  readonly timeouts: number;
  /** When timers of TCP ran out that may end a pause. */
  readonly timersRan: TimersRan;
  /** Pauses in what arrives, of over PAUSE_US (receiver). */
  readonly pauses: readonly Pause[];
  readonly lost: readonly LostWakeup[];
  /** How often a writer found the transmit ring full. */
  readonly ringFull: number;
  /** The kernel's counters over the run. */
  readonly stats: KernelStats;
  readonly samples: Samples;
  /** The flow and what happened to the domain, as far as the recorder's rings hold it. */
  readonly trace: Trace | undefined;
}

export type GuestMessage = { readonly type: 'ready' } | { readonly type: 'report'; readonly report: GuestReport };

/** `go` has the sender connect; `idle` begins a measurement without traffic; `report` ends one; `exit` ends the domain. */
export interface HostMessage {
  readonly type: 'go' | 'idle' | 'report' | 'exit';
}

/** A pause in what arrives that is longer is a stall, in microseconds. */
export const STALL_US = 100_000;
/** Pauses that are told. */
export const PAUSE_US = 20_000;
