import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';
import { count } from './counters.ts';
import { endReduction, startReduction } from './prr.ts';
import { setTimer } from './retransmit-timer.ts';
import { seqGt, seqLt } from './seq.ts';
import { CA_CWR, CA_OPEN, SYN_RECEIVED, SYN_SENT } from './state.ts';
import { TIMER_LOSS_PROBE, TIMER_PERSIST, TIMER_REORDER } from './timer-modes.ts';

/** Slack for the peer's delayed acknowledgment when only one segment is out (Linux: TCP_RTO_MIN), and otherwise. */
const ONE_SEGMENT_SLACK_US = 200_000;
const SLACK_US = 2_000;

/**
 * Arms the tail loss probe in place of the RTO (RFC 8985 section 7.2): two round trips after the last segment.
 * @param progress whether this acknowledgment advanced SND.UNA, so that the RTO would start anew.
 */
export function scheduleLossProbe(c: Connection, progress: boolean): boolean {
  const { rtx, config } = c;
  if (!config.lossProbe || !c.sackOk || rtx.packetsOut === 0 || c.rtt.samples === 0) return false;
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) return false;
  if (c.caState !== CA_OPEN && c.caState !== CA_CWR) return false;
  if (c.rtoMode === TIMER_PERSIST || c.rtoMode === TIMER_REORDER) {
    if (c.rtoAtUs !== NEVER) return false;
  }
  const nowUs = c.tcp.nowUs;
  let timeoutUs = 2 * c.rtt.srttUs + (rtx.packetsOut === 1 ? ONE_SEGMENT_SLACK_US : SLACK_US);
  const rtoUs = progress || c.rtoAtUs === NEVER ? c.rtoUs : c.rtoAtUs - nowUs;
  if (rtoUs > 0 && timeoutUs > rtoUs) timeoutUs = rtoUs;
  setTimer(c, TIMER_LOSS_PROBE, nowUs + Math.ceil(timeoutUs));
  return true;
}

/**
 * What an acknowledgment says of the probe (section 7.4). Was a loss repaired by it, the window is reduced, once.
 * @param dsack whether it reports the probe as a duplicate. @param pureDuplicate neither data nor SACK in it is new.
 */
export function probeAcknowledged(c: Connection, ack: number, dsack: boolean, pureDuplicate: boolean): void {
  if (seqLt(ack, c.probeHigh)) return;
  if (!c.probeRetransmitted || dsack) {
    c.probing = false;
  } else if (seqGt(ack, c.probeHigh)) {
    // The probe filled a hole: there was a loss, and congestion control is to know.
    c.probing = false;
    count(c, 'TCPLossProbeRecovery');
    if (c.caState < CA_CWR) {
      c.ssthresh = c.cc.onLoss(c, c.tcp.nowUs);
      startReduction(c);
      endReduction(c);
    }
  } else if (pureDuplicate) {
    // Both the original and the probe arrived.
    c.probing = false;
  }
}
