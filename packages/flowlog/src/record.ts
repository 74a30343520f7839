/**
 * The layout of one record: 64 bytes, a cache line. `time` is a double in microseconds; the rest are int32 words.
 *
 * | word | SEG (TX, RX)                    | UPD (WND)        |
 * |------|---------------------------------|------------------|
 * | 0, 1 | time                            | time             |
 * | 2    | op, TCP flags << 8, retransmission << 16 | op      |
 * | 3    | delay in microseconds           | 0                |
 * | 4    | sequence number                 | SND.NXT          |
 * | 5    | acknowledgment number           | SEG.ACK          |
 * | 6    | payload bytes                   | SND.UNA          |
 * | 7    | window field, unscaled          | RCV.NXT          |
 * | 8    |                                 | backoff          |
 * | 9    |                                 | SND.WND          |
 * | 10   |                                 | RCV.WND          |
 * | 11   |                                 | cwnd             |
 * | 12   |                                 | ssthresh         |
 * | 13   |                                 | in recovery      |
 * | 14   |                                 | recovery point   |
 * | 15   | reserved, 0                     | reserved, 0      |
 */
export const RECORD_BYTES = 64;
export const RECORD_WORDS = RECORD_BYTES / 4;
export const RECORD_DOUBLES = RECORD_BYTES / 8;

export const WORD_OP = 2;
export const WORD_DELAY = 3;
export const WORD_DETAILS = 4;
export const WORD_BYTES = 6;
export const WORD_WINDOW = 7;

/** Details that a 2013 record of each kind has. */
export const SEGMENT_DETAILS = 2;
export const WINDOW_DETAILS = 11;

export const OP_TX = 1;
export const OP_RX = 2;
export const OP_WND = 3;

const MAX_INT32 = 0x7fff_ffff;

/** Saturates a count of bytes or microseconds (ssthresh begins "as high as possible") to what an int32 word holds. */
export function saturate(value: number): number {
  return value < MAX_INT32 ? value | 0 : MAX_INT32;
}

/** A segment that was sent or received. */
export interface SegmentRecord {
  readonly op: 'TX' | 'RX';
  readonly kind: 'SEG';
  /** TX: after the lower layers took it; RX: when TCP looked at it. Microseconds of the flow's clock. */
  readonly timeUs: number;
  /** TX: time the lower layers needed; RX: from the segment's arrival in the machine to `timeUs`. */
  readonly delayUs: number;
  /** As on the wire, 0..2^32-1. */
  readonly seq: number;
  /** As on the wire, 0..2^32-1. */
  readonly ack: number;
  /** TCP flag bits. */
  readonly flags: number;
  /** Payload. */
  readonly bytes: number;
  /** The window field, unscaled. */
  readonly window: number;
  /** Whether any of it had been sent before (TX only). */
  readonly retransmission: boolean;
}

/** The window variables, in the names of RFC 9293; sequence numbers as on the wire. */
export interface WindowRecord {
  readonly op: 'WND';
  readonly kind: 'UPD';
  readonly timeUs: number;
  readonly delayUs: number;
  readonly sndNxt: number;
  readonly segAck: number;
  readonly sndUna: number;
  readonly rcvNxt: number;
  readonly backoff: number;
  readonly sndWnd: number;
  readonly rcvWnd: number;
  /** In bytes, as in 2013. */
  readonly cwnd: number;
  /** In bytes, 2^31-1 while no loss has set it. */
  readonly ssthresh: number;
  readonly inRecovery: boolean;
  readonly recoveryPoint: number;
}

export type FlowRecord = SegmentRecord | WindowRecord;
