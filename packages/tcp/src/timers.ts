import { NEVER } from '@qanat/clock';
import { abort, finish } from './close.ts';
import type { Connection } from './connection.ts';
import { sendSyn } from './control-output.ts';
import { count } from './counters.ts';
import { givenUp, noteRetry } from './give-up.ts';
import { keepAliveTimer } from './keepalive.ts';
import { lossProbeTimeout } from './loss-probe-timeout.ts';
import { suspectBlackHole } from './mtu-probe.ts';
import { observeFired, observeWindow } from './observe.ts';
import {
  FIRED_DELAYED_ACK,
  FIRED_KEEPALIVE,
  FIRED_LIFE,
  FIRED_PACE,
  RESENT_AFTER_RTO,
  RESENT_RTO,
} from './observer.ts';
import { output, retransmitAt } from './output.ts';
import { probeWindow } from './persist.ts';
import { checkAppLimited } from './rate.ts';
import { enterLoss, reorderTimeout } from './recovery.ts';
import { rearmRto, setTimer, stopTimer } from './retransmit-timer.ts';
import { sendAck } from './segment-output.ts';
import { CLOSED, FIN_WAIT_2, SYN_RECEIVED, SYN_SENT, TIME_WAIT } from './state.ts';
import { TIMER_LOSS_PROBE, TIMER_PERSIST, TIMER_REORDER, TIMER_RETRANSMIT } from './timer-modes.ts';

/** Some deadline of the connection has come: runs all that are due, then arms the next. */
export function runTimers(c: Connection): void {
  const nowUs = c.tcp.nowUs;
  if (c.lifeAtUs <= nowUs) {
    c.lifeAtUs = NEVER;
    if (c.observer !== undefined) observeFired(c, FIRED_LIFE);
    // FIN-WAIT-2 of a closed connection that the peer never ends, or the end of TIME-WAIT; else it lingers too long.
    if (c.state === FIN_WAIT_2 || c.state === TIME_WAIT) finish(c, undefined);
    else abort(c, undefined, true);
    return;
  }
  if (c.delayedAckAtUs <= nowUs) {
    c.delayedAckAtUs = NEVER;
    if (c.observer !== undefined) observeFired(c, FIRED_DELAYED_ACK);
    count(c, 'DelayedACKs');
    sendAck(c);
  }
  if (c.rtoAtUs <= nowUs) {
    const mode = c.rtoMode;
    if (c.observer !== undefined) observeFired(c, mode);
    checkAppLimited(c);
    stopTimer(c);
    switch (mode) {
      case TIMER_PERSIST:
        probeWindow(c);
        break;
      case TIMER_LOSS_PROBE:
        lossProbeTimeout(c);
        break;
      case TIMER_REORDER:
        reorderTimeout(c);
        output(c);
        if (c.rtoAtUs === NEVER) rearmRto(c);
        break;
      default:
        retransmissionTimeout(c);
    }
  }
  if (c.state !== CLOSED && c.keepAliveAtUs <= nowUs) {
    if (c.observer !== undefined) observeFired(c, FIRED_KEEPALIVE);
    keepAliveTimer(c);
  }
  // The next burst goes out with the output at the end of the batch, if it still may.
  if (c.paceHeld && c.paceAtUs <= nowUs) {
    c.paceHeld = false;
    if (c.observer !== undefined) observeFired(c, FIRED_PACE);
    c.tcp.touch(c);
  }
  if (c.state !== CLOSED) c.rearm();
}

function retransmissionTimeout(c: Connection): void {
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) {
    synTimeout(c);
    return;
  }
  const rtx = c.rtx;
  if (rtx.packetsOut === 0) return;
  if (givenUp(c, false)) {
    count(c, 'TCPAbortOnTimeout');
    // R2 is passed (RFC 9293 section 3.8.3). A soft error that ICMP reported names the cause.
    abort(c, c.softError ?? 'ETIMEDOUT', false);
    return;
  }
  count(c, 'TCPTimeouts');
  enterLoss(c);
  c.retries++;
  noteRetry(c, c.retries);
  suspectBlackHole(c);
  c.resendReason = RESENT_RTO;
  // RFC 6298 (5.5): back off; a segment that the device refuses has not been tried, so it does not count.
  if (retransmitAt(c, rtx.head)) {
    if (c.backoff < 30) c.backoff++;
    c.retransmitHint = rtx.packetsOut > 1 ? rtx.seq[rtx.head + 1]! : c.sndNxt;
  }
  c.resendReason = RESENT_AFTER_RTO;
  setTimer(c, TIMER_RETRANSMIT, c.tcp.nowUs + c.rtoUs);
  if (c.observer !== undefined) observeWindow(c);
  output(c);
}

function synTimeout(c: Connection): void {
  const { config, tcp } = c;
  // One more for the flow that has data already, as Linux.
  const most = c.state === SYN_SENT ? config.synRetries : config.synAckRetries + (c.fastOpen ? 1 : 0);
  if (c.synRetries >= most && !(c.acceptDeferred && c.synRetries < c.deferAccept)) {
    count(c, 'TCPAbortOnTimeout');
    abort(c, c.softError ?? 'ETIMEDOUT', false);
    return;
  }
  c.synRetries++;
  noteRetry(c, c.synRetries);
  const linear = c.state === SYN_SENT && c.synRetries <= config.synLinearTimeouts;
  if (!linear && c.backoff < 30) c.backoff++;
  count(c, 'TCPTimeouts');
  // While the listener waits for data the peer is not bothered, until the end: its answer then completes the handshake.
  if (!c.acceptDeferred || c.synRetries >= c.deferAccept) sendSyn(c, true);
  c.rtoAtUs = tcp.nowUs + c.rtoUs;
}
