import { NEVER } from '@qanat/clock';
import { isPlainFlight, MAX_BEHIND, updateWindow } from './ack.ts';
import { settleAnswers } from './answers.ts';
import { worthWriting } from './auto-tune.ts';
import type { Connection } from './connection.ts';
import { EVENT_WRITABLE } from './context.ts';
import { isCwndLimited } from './cwnd-validation.ts';
import { probeDelivered } from './mtu-probe.ts';
import { rackDelivered, rackUpdateWindow } from './rack.ts';
import { checkAppLimited, finishRateSample, noteDelivered, startRateSample } from './rate.ts';
import { stopTimer } from './retransmit-timer.ts';
import type { Segment } from './segment.ts';
import { seqDiff, seqLt } from './seq.ts';
import { CA_OPEN } from './state.ts';

/**
 * Whether an acknowledgment of everything in flight would be good news and nothing else: no loss is known, suspected or
 * remembered, and congestion control takes samples as they come.
 */
export function awaitsPlainAck(c: Connection): boolean {
  const { rtx } = c;
  return (
    c.caState === CA_OPEN &&
    rtx.head < rtx.tail &&
    rtx.sentUs[rtx.tail - 1]! > 0 &&
    c.model === undefined &&
    !c.paced &&
    isPlainFlight(c)
  );
}

/** All that was in flight is acknowledged, where `awaitsPlainAck` holds: what is left of `processAck` for that. */
export function flightAcknowledged(c: Connection, segment: Segment): void {
  const { rtx } = c;
  const { ack, arrivedUs } = segment;
  const segments = rtx.tail - rtx.head;
  const last = rtx.tail - 1;
  const rttUs = Math.max(arrivedUs - rtx.sentUs[last]!, 1);
  checkAppLimited(c);
  startRateSample();
  updateWindow(c, segment);
  noteDelivered(rtx, last);
  if (c.sackOk) rackDelivered(c, last, false, arrivedUs);
  rtx.shiftPlain(segments);
  c.bytesAcked += seqDiff(ack, c.sndUna);
  c.sndUna = ack;
  if (seqLt(c.sackHigh, ack)) c.sackHigh = ack;
  if (seqLt(c.lossMarked, ack)) c.lossMarked = ack;
  if (seqDiff(ack, c.recoveryPoint) > MAX_BEHIND) c.recoveryPoint = (ack - 1) | 0;
  const { lent } = c.snd;
  c.snd.acknowledge(ack);
  if (c.snd.kept !== ack || c.snd.lent !== lent) settleAnswers(c, lent);
  c.path.confirm();
  if (c.mtuProbe !== undefined) probeDelivered(c);
  if (c.wantWrite && worthWriting(c)) {
    c.wantWrite = false;
    c.raise(EVENT_WRITABLE);
  }
  c.rtt.sample(rttUs);
  if (c.sackOk && c.config.rack) rackUpdateWindow(c);
  c.softError = undefined;
  c.stalledSinceUs = NEVER;
  c.retries = 0;
  c.backoff = 0;
  c.dupAcks = 0;
  stopTimer(c);
  c.delivered += segments;
  finishRateSample(c, arrivedUs, segments, 0, rttUs);
  if (isCwndLimited(c)) c.cc.onAck(c, segments, rttUs, c.tcp.nowUs);
}
