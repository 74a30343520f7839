/** Counters of the layers between device and transport, per interface. They only grow. */
export class InterfaceStats {
  rxFrames = 0;
  /** Bytes pass 2^31: as a double from the start, the field need not change its kind on the way. */
  rxBytes = 0.5;
  txFrames = 0;
  txBytes = 0.5;
  /** Frames that were too short, not for us, or of a type that nobody here speaks. */
  rxShort = 0;
  rxOtherHost = 0;
  rxUnknownType = 0;
  /** IPv4 headers that failed a check (RFC 1122 section 3.2.1), by kind. */
  ipHeaderErrors = 0;
  ipAddressErrors = 0;
  /** Datagrams for others: a host does not forward (RFC 1122 section 3.3.1.1). */
  ipNotForUs = 0;
  ipUnknownProtocol = 0;
  ipDelivered = 0;
  ipFragments = 0;
  /** Packets that could not be sent: the next hop does not answer, or the device was full. */
  txUnreachable = 0;
  txFull = 0;

  constructor() {
    this.rxBytes = 0;
    this.txBytes = 0;
  }
}
