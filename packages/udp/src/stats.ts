/** Counters of UDP; they only grow. Names of Linux's SNMP UDP MIB (UdpInDatagrams ...) where it has them. */
export interface UdpStats {
  /** Datagrams that came to UDP. */
  inDatagrams: number;
  /** Calls of `onDatagram`. */
  delivered: number;
  noPorts: number;
  /** Malformed, from a group, or no memory. */
  inErrors: number;
  inCsumErrors: number;
  outDatagrams: number;
  outErrors: number;
  /** ICMP errors that were not reported to anybody. */
  errorsIgnored: number;
}

export function newUdpStats(): UdpStats {
  return {
    inDatagrams: 0,
    delivered: 0,
    noPorts: 0,
    inErrors: 0,
    inCsumErrors: 0,
    outDatagrams: 0,
    outErrors: 0,
    errorsIgnored: 0,
  };
}
