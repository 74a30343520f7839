/** A trace: what recorders, files and captures of other tools come down to, and what pictures are drawn from. */
import { firstColumnAtLeast } from './search.ts';
import {
  EVENT_SCHEMA,
  type EventTable,
  emptyTable,
  MACHINE_SCHEMA,
  type MachineTable,
  SACK_SCHEMA,
  type SackTable,
  SEGMENT_SCHEMA,
  type SegmentTable,
  WINDOW_SCHEMA,
  type WindowTable,
} from './tables.ts';

/** Who recorded: a guest domain, Dom0, a host without a machine, or the file of a packet capture. */
export type SourceKind = 'domain' | 'dom0' | 'host' | 'capture';

export interface SourceDescriptor {
  /** Unique in the trace. */
  readonly id: number;
  readonly name: string;
  readonly kind: SourceKind;
}

export interface SourceTrace extends SourceDescriptor {
  readonly machine: MachineTable;
  /** What events name by index. */
  readonly strings: readonly string[];
  /** Machine rows that gave way to younger ones in a ring. */
  readonly overwritten: number;
  /** Machine rows that could not be kept (streaming), or stood in a chunk that was damaged. */
  readonly dropped: number;
}

/** What is known of a flow beside its rows; all numbers as on the wire, addresses as uint32. */
export interface FlowDescriptor {
  /** Unique in the trace. */
  readonly id: number;
  /** The source that recorded it. */
  readonly source: number;
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  /** Whether this end opened the connection; undefined when the trace does not tell. */
  readonly active: boolean | undefined;
  /** Initial sequence number of this end (int32); undefined when unknown. */
  readonly iss: number | undefined;
  /** Initial sequence number of the peer (int32); undefined when unknown. */
  readonly irs: number | undefined;
  /** Shift of the windows that the peer advertises (RX segments); undefined when unknown. */
  readonly sndShift: number | undefined;
  /** Shift of the windows that this end advertises (TX segments); undefined when unknown. */
  readonly rcvShift: number | undefined;
  /** Payload of a full segment in bytes; 0 when unknown. */
  readonly mss: number;
  /** Name of the congestion control; '' when unknown. */
  readonly congestion: string;
  readonly startUs: number;
}

/** Rows per table of a flow. */
export interface FlowRowCounts {
  readonly segments: number;
  readonly sacks: number;
  readonly windows: number;
  readonly events: number;
}

export interface FlowTrace extends FlowDescriptor {
  readonly segments: SegmentTable;
  /** Row `segment[i] - firstSegment` of `segments` had the block; sorted by it; all of them are there. */
  readonly sacks: SackTable;
  readonly windows: WindowTable;
  readonly events: EventTable;
  /** Number of the first row of `segments`, counted since the recorder started. */
  readonly firstSegment: number;
  /** Rows that gave way to younger ones in the recorder's ring. */
  readonly overwritten: FlowRowCounts;
  /** Rows that could not be kept (streaming), or stood in a chunk that was damaged. */
  readonly dropped: FlowRowCounts;
}

/** Packets of a capture, where they lie in its bytes: so that a converter can keep them as they were. Parallel columns. */
export interface CapturedFrames {
  /** The file. */
  readonly bytes: Uint8Array;
  readonly rows: number;
  readonly timeUs: Float64Array;
  /** Offset of the packet's first byte in `bytes`. */
  readonly offset: Float64Array;
  readonly capturedBytes: Uint32Array;
  readonly originalBytes: Uint32Array;
  /** LINKTYPE_* of the packet's interface. */
  readonly linkType: Uint32Array;
  /** Index into `flows` of the trace, -1 when it belongs to none. */
  readonly flow: Int32Array;
  /** Row of the flow's `segments`. */
  readonly segment: Uint32Array;
}

export interface TraceClock {
  /** Microseconds since 1970 at time 0 of the trace; undefined when times are only relative to each other. */
  readonly unixEpochUs: number | undefined;
  /** The smallest step of the clock in microseconds. */
  readonly resolutionUs: number;
}

export interface Trace {
  readonly sources: readonly SourceTrace[];
  readonly flows: readonly FlowTrace[];
  readonly clock: TraceClock;
  /** What was wrong with the file, one sentence each; empty when all was read. */
  readonly problems: readonly string[];
  readonly frames?: CapturedFrames;
}

export const NO_ROWS: FlowRowCounts = { segments: 0, sacks: 0, windows: 0, events: 0 };

/** A descriptor in which only the four addresses are known. */
export function flowDescriptor(known: Partial<FlowDescriptor> & Pick<FlowDescriptor, 'id' | 'source'>): FlowDescriptor {
  return {
    localAddress: 0,
    localPort: 0,
    remoteAddress: 0,
    remotePort: 0,
    active: undefined,
    iss: undefined,
    irs: undefined,
    sndShift: undefined,
    rcvShift: undefined,
    mss: 0,
    congestion: '',
    startUs: 0,
    ...known,
  };
}

/** Tables and counts of a flow; what is not given is empty. */
export function flowTrace(
  descriptor: FlowDescriptor,
  rows: Partial<Omit<FlowTrace, keyof FlowDescriptor>> = {},
): FlowTrace {
  return {
    ...descriptor,
    segments: emptyTable(SEGMENT_SCHEMA),
    sacks: emptyTable(SACK_SCHEMA),
    windows: emptyTable(WINDOW_SCHEMA),
    events: emptyTable(EVENT_SCHEMA),
    firstSegment: 0,
    overwritten: NO_ROWS,
    dropped: NO_ROWS,
    ...rows,
  };
}

/** Rows and strings of a source; what is not given is empty. */
export function sourceTrace(
  descriptor: SourceDescriptor,
  rows: Partial<Omit<SourceTrace, keyof SourceDescriptor>> = {},
): SourceTrace {
  return { ...descriptor, machine: emptyTable(MACHINE_SCHEMA), strings: [], overwritten: 0, dropped: 0, ...rows };
}

/**
 * The SACK blocks of a segment.
 * @param row of `flow.segments`.
 * @returns the row of `flow.sacks` of its first block: as many as `sackBlocks(info)` says follow.
 */
export function firstSack(flow: FlowTrace, row: number): number {
  return firstColumnAtLeast(flow.sacks.segment, flow.firstSegment + row, 0, flow.sacks.rows);
}

/** @returns whether the two are the two ends of one connection. */
export function areTwoEnds(a: FlowDescriptor, b: FlowDescriptor): boolean {
  return (
    a.source !== b.source &&
    a.localAddress === b.remoteAddress &&
    a.localPort === b.remotePort &&
    a.remoteAddress === b.localAddress &&
    a.remotePort === b.localPort
  );
}
