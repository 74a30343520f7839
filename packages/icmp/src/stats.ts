/** Counters of ICMP; they only grow. Names of Linux's SNMP ICMP MIB (IcmpInMsgs ...) where it has them. */
export interface IcmpStats {
  inMsgs: number;
  /** Too short, or an error that quotes nothing of ours. */
  inErrors: number;
  inCsumErrors: number;
  inEchos: number;
  inEchoReps: number;
  inDestUnreachs: number;
  inTimeExcds: number;
  /** Understood and passed over: broadcasts, stray replies, source quench, redirects, other types. */
  ignored: number;
  outEchos: number;
  outEchoReps: number;
  outErrors: number;
  /** Errors that RFC 1122 section 3.2.2 forbids. */
  outSuppressed: number;
  outRateLimited: number;
}

export function newIcmpStats(): IcmpStats {
  return {
    inMsgs: 0,
    inErrors: 0,
    inCsumErrors: 0,
    inEchos: 0,
    inEchoReps: 0,
    inDestUnreachs: 0,
    inTimeExcds: 0,
    ignored: 0,
    outEchos: 0,
    outEchoReps: 0,
    outErrors: 0,
    outSuppressed: 0,
    outRateLimited: 0,
  };
}
