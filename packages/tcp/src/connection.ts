import { NEVER, type Timer } from '@qanat/clock';
import { flowHash } from '@qanat/ipv4';
import type { AccurateEcn } from './accurate-ecn.ts';
import { initialRcvLimit } from './auto-tune.ts';
import type { TcpConfig } from './config.ts';
import { createCongestionControl, joinModel } from './congestion.ts';
import type { CongestionControl, ModelControl, ModelState } from './congestion-control.ts';
import { ConnectionTimer } from './connection-timer.ts';
import type { ConnectionParent, ConnectionUser, TcpContext } from './context.ts';
import { effectiveMss } from './mss.ts';
import type { MtuProbe } from './mtu-state.ts';
import type { TcpPath } from './network.ts';
import type { TcpObserver, TimedState, TimerState } from './observer.ts';
import { RackState } from './rack-state.ts';
import { ReceiveQueue } from './receive-queue.ts';
import { RetransmitQueue } from './retransmit-queue.ts';
import { RttEstimator } from './rtt.ts';
import { SendQueue } from './send-queue.ts';
import { CA_OPEN, CA_RECOVERY, CLOSED, stateName, type TcpErrorCode, type TcpState, TIME_WAIT } from './state.ts';
import type { TcpStats } from './stats.ts';
import { TIMER_PERSIST, TIMER_RETRANSMIT } from './timer-modes.ts';
import type { TxLine } from './tx-line.ts';
import { windowShiftFor } from './window.ts';

/**
 * Counts of bytes pass 2^31. Where a field first held a fraction, V8 keeps a double in it from the start; else the first
 * overflow would change the layout of every connection, and throw away all code that was compiled for it.
 */
const FRACTION = 0.5;

/** RFC 5681: the initial ssthresh is arbitrarily high. */
const INFINITE_SSTHRESH = 0x7fffffff;

/**
 * The transmission control block (RFC 9293 section 3.3.1): plain state. The rules that move it live in `input`, `ack`,
 * `output`, `recovery` and `timers`; what a user may call lives in `user`.
 */
export class Connection implements TimedState, TimerState, ModelState {
  readonly tcp: TcpContext;
  /** Replaced by `configure`; buffer sizes and what the handshake settled stay as they were. */
  config: TcpConfig;
  readonly path: TcpPath;
  readonly localAddress: number;
  readonly localPort: number;
  readonly remoteAddress: number;
  readonly remotePort: number;
  /** Place in the table of connections, and which use of it. */
  slot = -1;
  generation = 0;
  /** The listener it came from, until it is handed to the application. */
  parent: ConnectionParent | undefined;
  user: ConnectionUser | undefined;
  observer: TcpObserver | undefined;
  /** Takes none of the short ways (bursts, header prediction): so tests compare them with the long one. */
  longWay = false;

  state = CLOSED;
  /** Opened by LISTEN, not by connect (MUST-11). */
  passive = false;
  /** EVENT_* bits that wait to be told. */
  events = 0;
  /** Queued in the layer's list of connections with something to do. */
  touched = false;
  error: TcpErrorCode | undefined;
  /** A soft ICMP error to report should the connection time out (MUST-56). */
  softError: TcpErrorCode | undefined;
  /** The trouble to tell of, with EVENT_TROUBLE. */
  trouble: TcpErrorCode = 'ETIMEDOUT';

  // --- Send sequence space -------------------------------------------------------------------------------------
  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  /** SND.WND in bytes. */
  sndWnd = 0;
  /** Segment sequence and acknowledgment number of the last window update. */
  sndWl1 = 0;
  sndWl2 = 0;
  /** Largest window the peer ever offered (MAX.SND.WND). */
  maxSndWnd = 0;
  /** Snd.Wind.Shift, RFC 7323. */
  sndWndShift = 0;
  /** Payload that fits one segment: SMSS less options that every segment carries. */
  mss = 536;
  /** Search for the path's MTU, where it is configured. */
  mtuProbe: MtuProbe | undefined;
  /** What the peer's MSS option said. */
  peerMss = 536;
  readonly snd: SendQueue;
  readonly rtx = new RetransmitQueue();
  finQueued = false;
  finSent = false;
  /** End of the last segment that was smaller than the MSS (Minshall's rule). */
  smallEnd = 0;
  /** The last write said that more follows (MSG_MORE): a small segment waits for it, until the next acknowledgment. */
  moreComing = false;
  /** Sequence numbers after which a segment must end (MSG_EOR), oldest first; `eorCount` of them. */
  readonly eors: number[] = [];
  eorCount = 0;
  /** SND.UP: the byte after urgent data, while `urgentSending`. */
  sndUp = 0;
  urgentSending = false;
  /** The last write was refused (in part): tell when there is room. */
  wantWrite = false;
  /** The device was full: output goes on with `transmitReady`, in its turn. */
  txBlocked = false;
  /** Where it waits for that, after whom and before whom. */
  txLine: TxLine | undefined;
  txAhead: Connection | undefined;
  txBehind: Connection | undefined;
  /** In the layer's list of those that wait for the device's answers: packets refer to what is acknowledged. */
  awaitsAnswers = false;

  // --- Receive sequence space ----------------------------------------------------------------------------------
  irs = 0;
  rcvNxt = 0;
  /** Right edge of the window as advertised: it never moves left. */
  rcvAdv = 0;
  /** Most that is advertised for now: grows by twice what arrives, up to the buffer (Linux: rcv_ssthresh). */
  rcvGrown = 0xffff;
  /** How large the window may become (see `auto-tune`), and what that is measured by. */
  rcvClamp = 0;
  rcvCopied = 0;
  rcvSpace = 0;
  rcvSpaceSinceUs = 0;
  /** The application has read since the last output: the window may be worth telling. */
  hasRead = false;
  /** Rcv.Wind.Shift. */
  rcvWndShift = 0;
  readonly rcv: ReceiveQueue;
  /** Largest payload seen: what the peer uses as its segment size. */
  rcvMss = 536;
  /** RCV.UP: the byte after the peer's urgent data, once `urgentReceived`. */
  rcvUp = 0;
  urgentReceived = false;
  /** The peer's FIN is in sequence. */
  finReceived = false;
  /** Sequence number of a FIN that came ahead of data, valid while `finPending`. */
  finSeq = 0;
  finPending = false;
  /** Last acknowledgment number sent (Last.ACK.sent). */
  lastAckSent = 0;
  /** An acknowledgment is due now / whenever the timer says. */
  ackNow = false;
  quickAcks = 0;
  /** The application answers what it gets (Linux: pingpong mode). */
  answering = false;
  /** When data last came. */
  dataReceivedUs = Number.NEGATIVE_INFINITY;
  /** SEG.ACK of the last segment. */
  segAck = 0;

  // --- Options -------------------------------------------------------------------------------------------------
  timestampsOk = false;
  sackOk = false;
  windowScaleOk = false;
  /** ECN was agreed on; ECE is to be echoed; CWR is to go with the next new data (RFC 3168 section 6.1). */
  ecnOk = false;
  ecnEcho = false;
  ecnReduced = false;
  /** Accurate ECN was agreed on (then `ecnOk` is true as well). */
  accurateEcn: AccurateEcn | undefined;
  /** Segments that came marked CE. */
  deliveredCeIn = 0;
  /** TS.Recent and when it was taken. */
  tsRecent = 0;
  tsRecentUs = 0;
  /** Random offset of our TSval. */
  tsOffset = 0;
  /** D-SACK block to report first with the next acknowledgment (RFC 2883). */
  dsackLeft = 0;
  dsackRight = 0;

  // --- Fast Open, RFC 7413 -------------------------------------------------------------------------------------
  /** Passive: the application has it, though the handshake is not complete. */
  fastOpen = false;
  /** Cookie for the first SYN or SYN-ACK, empty to ask for one. */
  cookie: Uint8Array | undefined;
  cookieExperimental = false;
  /** Bytes of data that our SYN may carry. */
  synDataRoom = 0;
  /** Data of a SYN was acknowledged with it, or taken. */
  synDataAcked = false;
  /** Why data went otherwise (FAST_OPEN_*). */
  fastOpenFail = 0;
  /** When the SYN or SYN-ACK was sent, 0 when its acknowledgment gives no round trip. */
  synSentUs = 0;

  // --- Round trip, congestion, recovery ------------------------------------------------------------------------
  readonly rtt: RttEstimator;
  cc: CongestionControl;
  /** The same, where it keeps a model and sets cwnd itself. */
  model: ModelControl | undefined;
  cwnd: number;
  ssthresh = INFINITE_SSTHRESH;
  caState = CA_OPEN;
  /** SND.NXT when the loss episode began. */
  recoveryPoint = 0;
  dupAcks = 0;
  /** Where the search for lost segments to retransmit goes on. */
  retransmitHint = 0;
  /** Loss marks are made up to here. */
  lossMarked = 0;
  /** Highest sequence number after a SACKed segment. */
  sackHigh = 0;
  /** PRR, RFC 6937. */
  prrDelivered = 0;
  prrOut = 0;
  priorCwnd = 0;
  /** Doublings of the RTO. */
  backoff = 0;
  /** Consecutive timeouts without an answer. */
  retries = 0;
  readonly rack = new RackState();
  /** A tail loss probe is out (RFC 8985 section 7): SND.NXT after it, and whether it was a retransmission. */
  probing = false;
  probeHigh = 0;
  probeRetransmitted = false;
  /** What a needless reduction is undone to, and what tells that it was (see `undo`). */
  undoPossible = false;
  undoMarker = 0;
  undoRetrans = 0;
  undoCwnd = 0;
  undoSsthresh = 0;
  /** TSval of the first retransmission of the episode, valid while `retransStamped`. */
  retransStamp = 0;
  retransStamped = false;
  /** F-RTO is deciding (RFC 5682), and its step 2.b: new data goes before retransmissions. */
  frto = false;
  sendNewFirst = false;
  /** Why what is sent again in CA_LOSS is (RESENT_*), for an observer. */
  resendReason = 0;
  /** Why sending stopped last (STOP_* of `send-policy`). */
  sendStop = 0;
  /** When the first of them struck: R2 and the user timeout count from here. */
  stalledSinceUs = NEVER;
  /** Whether output was last stopped by cwnd, and the flight of that round (see `cwnd-validation`). */
  cwndLimited = false;
  maxPacketsOut = 0;
  cwndUsageSeq = 0;
  /** Largest flight since cwnd was last used up, and when that was. */
  cwndUsed = 0;
  cwndUsedUpUs = 0;
  lastSentUs = 0;
  lastReceivedUs = 0;
  establishedUs = 0;
  /** Round trip as the receiver sees it, and what it is measured by (see `rcv-rtt`). */
  rcvRttUs = 0;
  rcvRttEcr = 0;
  rcvRttSeq = 0;
  rcvRttSinceUs = 0;
  /** When `delivered` last grew, and when the newest of what was delivered was sent (see `rate`). */
  deliveredUs = 0;
  firstSentUs = 0;
  /** Count of delivered segments until which rate samples are the application's, 0 for none. */
  appLimited = 0;
  /** The rate sample for tcp_info, in segments and microseconds. */
  rateDelivered = 0;
  rateIntervalUs = 0;
  rateAppLimited = false;
  /** Data is paced (see `pacing`): when what was sent will have been paid for, whether more waits for that, or did. */
  paced = false;
  paceAtUs = 0;
  paceHeld = false;
  paceWaited = false;
  paceUsPerByte = 0;
  paceQuantumUs = 0;

  // --- Timers: one deadline each, the earliest is armed -----------------------------------------------------------
  readonly timer: Timer;
  /** Deadline of what `rtoMode` says (TIMER_* of `retransmit-timer`). */
  rtoAtUs = NEVER;
  rtoMode = TIMER_RETRANSMIT;
  delayedAckAtUs = NEVER;
  keepAliveAtUs = NEVER;
  keepAliveSent = 0;
  /** End of TIME-WAIT or FIN-WAIT-2. */
  lifeAtUs = NEVER;
  synRetries = 0;
  /** SYN-ACK timeouts during which a bare ACK does not complete the handshake, and whether one came meanwhile. */
  deferAccept = 0;
  acceptDeferred = false;
  challengeAtUs = Number.NEGATIVE_INFINITY;
  /** The application has let go of it (close). */
  orphaned = false;
  /** The user was told of the end. */
  userClosed = false;
  /** The sending side was shut down. */
  writeShut = false;

  // --- Figures -------------------------------------------------------------------------------------------------
  /** Rare events that befell it (see `counters`), undefined before the first. */
  counters: Partial<Record<keyof TcpStats, number>> | undefined;
  bytesAcked = FRACTION;
  /** What the sender waits for now (CHRONO_*), since when, and what that made so far. */
  chrono = 0;
  chronoSinceUs = 0;
  busyUs = 0;
  rwndLimitedUs = 0;
  sndbufLimitedUs = 0;
  bytesReceived = FRACTION;
  bytesSent = FRACTION;
  bytesRetransmitted = 0;
  segsOut = 0;
  segsIn = 0;
  dataSegsOut = 0;
  dataSegsIn = 0;
  totalRetrans = 0;
  dsackDups = 0;
  /** Segments delivered, by cumulative or selective acknowledgment. */
  delivered = 0;
  /** Of these, acknowledged by segments that echoed congestion. */
  deliveredCe = 0;
  /** Sum of header words that never change: pseudo-header addresses, protocol, ports. */
  headerSum = 0;
  /** By it the device keeps our packets to one of its queues. */
  readonly flowHash: number;

  constructor(
    tcp: TcpContext,
    config: TcpConfig,
    path: TcpPath,
    localAddress: number,
    localPort: number,
    remoteAddress: number,
    remotePort: number,
  ) {
    this.tcp = tcp;
    this.config = config;
    this.path = path;
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.rcvWndShift = config.windowScaling ? windowShiftFor(config.rcvBuf) : 0;
    this.snd = new SendQueue(tcp.memory, tcp.pages, config.sndBuf, path.lending);
    this.rcv = new ReceiveQueue(tcp.memory, tcp.pages, config.rcvBuf, 1 << this.rcvWndShift);
    this.rcvClamp = initialRcvLimit(this);
    this.rtt = new RttEstimator(config.initialRtoUs, config.minRtoUs, config.maxRtoUs);
    this.cc = createCongestionControl(config);
    joinModel(this);
    this.cwnd = config.initialCwnd;
    this.quickAcks = config.quickAcks;
    this.timer = new ConnectionTimer(this);
    this.bytesAcked = 0;
    this.bytesReceived = 0;
    this.bytesSent = 0;
    this.flowHash = flowHash(localAddress, localPort, remoteAddress, remotePort);
    this.headerSum =
      (localAddress >>> 16) +
      (localAddress & 0xffff) +
      (remoteAddress >>> 16) +
      (remoteAddress & 0xffff) +
      6 +
      localPort +
      remotePort;
  }

  get stateName(): TcpState {
    // For who holds on to it after the end: TIME-WAIT goes on without the object.
    return stateName(this.state === TIME_WAIT && !this.tcp.stillWaits(this) ? CLOSED : this.state);
  }

  /** RCV.WND: what the peer may still send, in bytes. */
  get rcvWnd(): number {
    return (this.rcvAdv - this.rcvNxt) | 0;
  }

  get inRecovery(): boolean {
    return this.caState >= CA_RECOVERY;
  }

  get srttUs(): number {
    return this.rtt.srttUs;
  }

  get minRttUs(): number {
    return this.rtt.minRttUs;
  }

  get segmentsInFlight(): number {
    return this.rtx.inFlight;
  }

  get hasInFlight(): boolean {
    return this.rtx.packetsOut > 0;
  }

  get reordering(): number {
    return this.config.dupThresh;
  }

  /** Probing a closed window. */
  get persisting(): boolean {
    return this.rtoMode === TIMER_PERSIST && this.rtoAtUs !== NEVER;
  }

  /** Whether there is data or a FIN that was never sent, and window for it. */
  get hasNewToSend(): boolean {
    const unsent = ((this.snd.end - this.sndNxt) | 0) > 0 || (this.finQueued && !this.finSent);
    return unsent && ((this.sndUna + this.sndWnd - this.sndNxt) | 0) > 0;
  }

  /** RTO with its backoff, in microseconds. */
  get rtoUs(): number {
    const { rtoUs } = this.rtt;
    // A power costs more than the rest of it.
    return Math.min(this.backoff === 0 ? rtoUs : rtoUs * 2 ** this.backoff, this.config.maxRtoUs);
  }

  /** MTU of the path, as far as it is heeded. */
  get pathMtu(): number {
    return this.config.pathMtuDiscovery ? this.path.mtu : this.path.deviceMtu;
  }

  /** After anything that `effectiveMss` goes by has changed. */
  updateMss(): void {
    this.mss = effectiveMss(this);
  }

  /** @returns how many of `bytes` from SND.NXT on may share a segment: a record's end ends it. */
  untilEndOfRecord(bytes: number): number {
    while (this.eorCount > 0) {
      const left = (this.eors[0]! - this.sndNxt) | 0;
      if (left > 0) return Math.min(bytes, left);
      this.eors.shift();
      this.eorCount--;
    }
    return bytes;
  }

  /** Sets the one timer to the earliest of the deadlines. */
  rearm(): void {
    let at = this.rtoAtUs;
    if (this.delayedAckAtUs < at) at = this.delayedAckAtUs;
    if (this.keepAliveAtUs < at) at = this.keepAliveAtUs;
    if (this.lifeAtUs < at) at = this.lifeAtUs;
    if (this.paceHeld && this.paceAtUs < at) at = Math.ceil(this.paceAtUs);
    if (at !== this.timer.deadlineUs) {
      if (at === NEVER) this.tcp.timers.cancel(this.timer);
      else this.tcp.timers.arm(this.timer, at);
    }
    if (this.observer !== undefined) this.observer.settled(this.tcp.stampMark(), this);
  }

  /** As of `TimedState`. */
  stamps(count: number): number {
    return this.tcp.stamps(count);
  }

  /** As of `TimedState`. */
  stampMark(): number {
    return this.tcp.stampMark();
  }

  /** Notes an event for the user and asks for a turn at the end of the batch. */
  raise(event: number): void {
    this.events |= event;
    this.tcp.touch(this);
  }
}
