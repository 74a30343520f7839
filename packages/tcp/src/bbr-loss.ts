import { startProbeDown, startProbeRefill } from './bbr-probe-bw.ts';
import { resetFullBw } from './bbr-startup.ts';
import { type BbrState, BETA, isLossTooHigh, LOSS_THRESH, PROBE_RTT, PROBE_UP, STARTUP } from './bbr-state.ts';
import { restoreCwnd, saveCwnd, targetInflight } from './bbr-volume.ts';
import type { LostSegment, ModelState } from './congestion-control.ts';

/** What losses teach, and unlearning it: draft-ietf-ccwg-bbr-06 sections 5.5.10 and 5.5.11. */

/** NoteLoss(): the first loss of a round; what a needless recovery is undone to is what was before the episode. */
export function noteLoss(b: BbrState, s: ModelState): void {
  if (!b.lossInRound) {
    b.lossRoundDelivered = s.delivered;
    if (!s.inRecovery) saveForUndo(b, s);
  }
  b.lossInRound = true;
}

function saveForUndo(b: BbrState, s: ModelState): void {
  saveCwnd(b, s);
  b.undoMode = -1;
  b.undoBwShortterm = b.bwShortterm;
  b.undoInflightShortterm = b.inflightShortterm;
  b.undoInflightLongterm = b.inflightLongterm;
}

/** HandleLostPacket(): while probing, at which volume did the losses become too many? */
export function segmentLost(b: BbrState, s: ModelState, lost: LostSegment, nowUs: number): void {
  noteLoss(b, s);
  b.lostInRound++;
  if (lost.newRange) b.lossRanges++;
  if (!b.isProbeSample || !isLossTooHigh(s, lost.flight, lost.lost)) return;
  inflightTooHigh(b, s, inflightAtLoss(lost), lost.appLimited, nowUs);
}

/** InflightAtLoss() for a packet of one segment. */
function inflightAtLoss(lost: LostSegment): number {
  const before = lost.flight - 1;
  const prefix = (LOSS_THRESH * before - (lost.lost - 1)) / (1 - LOSS_THRESH);
  return before + Math.max(prefix, 0);
}

/** HandleInflightTooHigh(): once per probe. */
export function inflightTooHigh(b: BbrState, s: ModelState, flight: number, appLimited: boolean, nowUs: number): void {
  b.prevProbeTooHigh = true;
  b.isProbeSample = false;
  if (!appLimited) b.inflightLongterm = Math.floor(Math.max(flight, targetInflight(b, s) * BETA));
  if (b.mode === PROBE_UP) {
    b.undoMode = PROBE_UP;
    startProbeDown(b, s, nowUs);
  }
}

/** HandleSpuriousLossDetection(). */
export function undoLoss(b: BbrState, s: ModelState): void {
  restoreCwnd(b, s);
  b.lossInRound = false;
  resetFullBw(b);
  b.bwShortterm = Math.max(b.bwShortterm, b.undoBwShortterm);
  b.inflightShortterm = Math.max(b.inflightShortterm, b.undoInflightShortterm);
  b.inflightLongterm = Math.max(b.inflightLongterm, b.undoInflightLongterm);
  if (b.undoMode === STARTUP && b.mode !== STARTUP) {
    b.fullBwReached = false;
    if (b.mode !== PROBE_RTT) b.mode = STARTUP;
  } else if (b.undoMode === PROBE_UP && b.mode !== PROBE_UP && b.mode !== PROBE_RTT) {
    startProbeRefill(b, s);
  }
  b.undoMode = -1;
}
