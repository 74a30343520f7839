/** Counters of one TCP layer, with the names of Linux's SNMP MIB (RFC 4022 and TcpExt). */
export class TcpStats {
  ActiveOpens = 0;
  PassiveOpens = 0;
  AttemptFails = 0;
  EstabResets = 0;
  InSegs = 0;
  OutSegs = 0;
  RetransSegs = 0;
  InErrs = 0;
  OutRsts = 0;
  InCsumErrors = 0;
  TCPTimeouts = 0;
  TCPFastRetrans = 0;
  TCPSlowStartRetrans = 0;
  TCPLossFailures = 0;
  TCPSackRecovery = 0;
  TCPRenoRecovery = 0;
  TCPSACKReneging = 0;
  TCPSACKDiscard = 0;
  TCPDSACKRecv = 0;
  TCPLossProbes = 0;
  TCPLossProbeRecovery = 0;
  TCPSpuriousRTOs = 0;
  TCPSACKReorder = 0;
  TCPOFOQueue = 0;
  TCPOFODrop = 0;
  TCPRcvQDrop = 0;
  TCPAbortOnData = 0;
  TCPAbortOnClose = 0;
  TCPAbortOnTimeout = 0;
  TCPChallengeACK = 0;
  TCPSYNChallenge = 0;
  TCPDeferAcceptDrop = 0;
  TCPACKSkippedChallenge = 0;
  PAWSEstab = 0;
  PAWSActive = 0;
  DelayedACKs = 0;
  DelayedACKLost = 0;
  ListenOverflows = 0;
  ListenDrops = 0;
  SyncookiesSent = 0;
  SyncookiesRecv = 0;
  SyncookiesFailed = 0;
  /** Data that went with a SYN and was taken, or was not. */
  TCPFastOpenActive = 0;
  TCPFastOpenActiveFail = 0;
  /** Connections that came with a good cookie, of these with one of the key before; with a bad one. */
  TCPFastOpenPassive = 0;
  TCPFastOpenPassiveAltKey = 0;
  TCPFastOpenPassiveFail = 0;
  TCPFastOpenListenOverflow = 0;
  TCPFastOpenCookieReqd = 0;
  TCPMTUPProbes = 0;
  TCPMTUPSuccess = 0;
  TCPMTUPFail = 0;
  TCPKeepAlive = 0;
  TCPWinProbe = 0;
  TCPPureAcks = 0;
  TW = 0;
  TCPTimeWaitOverflow = 0;
  /** Segments for which the device had no room: they went out later. */
  TxRingFull = 0;
}
