import type { Connection } from './connection.ts';
import { paceHolds } from './pacing.ts';
import type { RateSample } from './rate-sample.ts';
import { type RetransmitQueue, SEG_APP_LIMITED } from './retransmit-queue.ts';
import { seqDiff } from './seq.ts';

/**
 * Delivery rate estimation, draft-ietf-ccwg-bbr-06 section 4.1: each segment remembers how much had been delivered when
 * it was sent, so that its acknowledgment tells the rate over one round trip. It costs a few stores per segment.
 */

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** The sample of the acknowledgment being processed: scratch of one call. */
export const rateSample: Writable<RateSample> = {
  rate: 0,
  delivered: 0,
  intervalUs: 0,
  priorDelivered: -1,
  appLimited: false,
  flight: 0,
  lost: 0,
  newlyAcked: 0,
  newlyLost: 0,
  rttUs: 0,
};

/** The last sent of the segments delivered so far: its place in the retransmission queue, -1 for none, and its number. */
let newest = -1;
let newestOrder = 0;

/** The segment at `index` goes out now, for the first time or again (section 4.1.2.2). It counts as in flight already. */
export function rateSent(c: Connection, index: number): void {
  const { rtx } = c;
  const flight = rtx.inFlight;
  if (flight <= 1) {
    c.firstSentUs = c.tcp.nowUs;
    c.deliveredUs = c.tcp.nowUs;
  }
  rtx.firstSentUs[index] = c.firstSentUs;
  rtx.deliveredUs[index] = c.deliveredUs;
  rtx.delivered[index] = c.delivered;
  rtx.lostBefore[index] = rtx.lostTotal;
  rtx.flight[index] = flight;
  const flags = rtx.flags[index]!;
  if (c.appLimited > 0) rtx.flags[index] = flags | SEG_APP_LIMITED;
  else if (flags & SEG_APP_LIMITED) rtx.flags[index] = flags & ~SEG_APP_LIMITED;
}

/** As `rateSent` for new segments from `first` to the end of the queue, which went out together. */
export function rateSentRun(c: Connection, first: number): void {
  const { rtx } = c;
  const { tail } = rtx;
  let flight = rtx.inFlight - (tail - first);
  if (flight === 0) {
    c.firstSentUs = c.tcp.nowUs;
    c.deliveredUs = c.tcp.nowUs;
  }
  const { firstSentUs, deliveredUs, delivered } = c;
  const { lostTotal } = rtx;
  const mark = c.appLimited > 0 ? SEG_APP_LIMITED : 0;
  for (let index = first; index < tail; index++) {
    rtx.firstSentUs[index] = firstSentUs;
    rtx.deliveredUs[index] = deliveredUs;
    rtx.delivered[index] = delivered;
    rtx.lostBefore[index] = lostTotal;
    rtx.flight[index] = ++flight;
    if (mark !== 0) rtx.flags[index] = rtx.flags[index]! | mark;
  }
}

/** An acknowledgment begins: nothing is known to be delivered by it. */
export function startRateSample(): void {
  newest = -1;
}

/** It delivers the segment at `index`. The sample is of the one that was sent last (section 4.1.2.3). */
export function noteDelivered(rtx: RetransmitQueue, index: number): void {
  const order = rtx.order[index]!;
  if (newest >= 0 && ((order - newestOrder) | 0) < 0) return;
  newest = index;
  newestOrder = order;
}

/**
 * All that an acknowledgment delivers is counted in `delivered`, and losses are marked: makes the sample. What the
 * newest segment had noted still stands in the queue's arrays, whether it left the queue or not.
 * @param arrivedUs when it came. @param newlyLost segments deemed lost by it.
 */
export function finishRateSample(
  c: Connection,
  arrivedUs: number,
  newlyAcked: number,
  newlyLost: number,
  rttUs: number,
): void {
  // The gap that the application had left has been delivered.
  if (c.appLimited > 0 && c.delivered > c.appLimited) c.appLimited = 0;
  rateSample.newlyAcked = newlyAcked;
  rateSample.newlyLost = newlyLost;
  rateSample.rttUs = rttUs;
  rateSample.rate = 0;
  rateSample.delivered = 0;
  rateSample.intervalUs = 0;
  rateSample.priorDelivered = -1;
  if (newlyAcked > 0) c.deliveredUs = arrivedUs;
  if (newest < 0) return;
  const { rtx } = c;
  const delivered = (c.delivered - rtx.delivered[newest]!) | 0;
  rateSample.priorDelivered = c.delivered - delivered;
  rateSample.appLimited = (rtx.flags[newest]! & SEG_APP_LIMITED) !== 0;
  rateSample.flight = rtx.flight[newest]!;
  rateSample.lost = (rtx.lostTotal - rtx.lostBefore[newest]!) | 0;
  const sentUs = rtx.sentUs[newest]!;
  c.firstSentUs = sentUs;
  // As fast as it was sent, or as fast as it was acknowledged: compressed acknowledgments say nothing of the path.
  const intervalUs = Math.max(sentUs - rtx.firstSentUs[newest]!, arrivedUs - rtx.deliveredUs[newest]!);
  rateSample.delivered = delivered;
  rateSample.intervalUs = intervalUs;
  // Shorter than any round trip: the acknowledgment is of an earlier transmission.
  if (intervalUs <= 0 || intervalUs < c.rtt.minRttUs) return;
  rateSample.rate = delivered / intervalUs;
  // For tcp_info: the latest, unless the application held it down; then the highest.
  if (!rateSample.appLimited || delivered * c.rateIntervalUs >= c.rateDelivered * intervalUs) {
    c.rateDelivered = delivered;
    c.rateIntervalUs = intervalUs;
    c.rateAppLimited = rateSample.appLimited;
  }
}

/**
 * Marks the samples of the coming round trip as the application's when it has left nothing to send although the window
 * and the pace would allow it (section 4.1.2.4). Before data is queued, acknowledged or sent again.
 */
export function checkAppLimited(c: Connection): void {
  const { rtx } = c;
  if (seqDiff(c.snd.end, c.sndNxt) >= c.mss || rtx.inFlight >= c.cwnd || rtx.lostOut > rtx.retransOut) return;
  if (c.paced && paceHolds(c)) return;
  markAppLimited(c);
}

export function markAppLimited(c: { appLimited: number; delivered: number; segmentsInFlight: number }): void {
  c.appLimited = Math.max(c.delivered + c.segmentsInFlight, 1);
}

/** tcpi_delivery_rate: bytes per second. */
export function deliveryRate(c: Connection): number {
  return c.rateIntervalUs > 0 ? Math.floor((c.rateDelivered * c.mss * 1e6) / c.rateIntervalUs) : 0;
}
