/**
 * What a flow recorder may see of a connection. TCP calls it at the events that the 2013 log had, and never looks at
 * what comes back; numbers only, so that watching costs no allocation.
 */
export interface TcpObserver {
  /**
   * A segment went down to the IP layer.
   * @param seq sequence number as on the wire (int32). @param ack acknowledgment number (int32).
   * @param flags TCP flag bits. @param bytes payload. @param window as advertised, unscaled field.
   * @param nowUs after the lower layers took it. @param delayUs time they needed.
   * @param retransmission whether any of it had been sent before.
   */
  segmentSent(
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    nowUs: number,
    delayUs: number,
    retransmission: boolean,
  ): void;
  /**
   * A segment came, not processed yet.
   * @param arrivedUs when it entered the machine. @param nowUs when TCP looks at it.
   */
  segmentReceived(
    seq: number,
    ack: number,
    flags: number,
    bytes: number,
    window: number,
    arrivedUs: number,
    nowUs: number,
  ): void;
  /** The window variables after a segment was processed or a timer ran. */
  windowUpdated(nowUs: number, window: WindowState): void;
}

/** The eleven fields of the 2013 window record, read in place (the object is the connection's own state). */
export interface WindowState {
  /** SND.NXT (int32). */
  readonly sndNxt: number;
  /** Acknowledgment number of the last segment received (int32). */
  readonly segAck: number;
  /** SND.UNA (int32). */
  readonly sndUna: number;
  /** RCV.NXT (int32). */
  readonly rcvNxt: number;
  /** Consecutive retransmission timeouts. */
  readonly backoff: number;
  /** SND.WND in bytes, scaled. */
  readonly sndWnd: number;
  /** RCV.WND in bytes, scaled. */
  readonly rcvWnd: number;
  /** Congestion window in segments of `mss`. */
  readonly cwnd: number;
  /** Slow start threshold in segments of `mss`. */
  readonly ssthresh: number;
  /** Payload that fits one segment, in bytes. */
  readonly mss: number;
  /** Whether a loss recovery is under way. */
  readonly inRecovery: boolean;
  /** SND.NXT at the start of the recovery: it ends when this is acknowledged (int32). */
  readonly recoveryPoint: number;
}
