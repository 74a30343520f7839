/**
 * What stands behind the numbers of a segment in a JSON line: `"dir":"TX","flags":16`, and where there are such `tsVal`, `tsEcr`,
 * `reason`, `sacks`, and `info` where the others do not say all of it.
 */
import {
  hasTimestamps,
  isReceived,
  REASON_NONE,
  sackBlocks,
  segmentFlags,
  segmentInfo,
  segmentReason,
} from '../segment-info.ts';
import type { FlowTrace } from '../trace.ts';
import { ascii, type ByteWriter } from './byte-writer.ts';

export const WORDS = {
  tx: ',"dir":"TX","flags":',
  rx: ',"dir":"RX","flags":',
  tsVal: ',"tsVal":',
  tsEcr: ',"tsEcr":',
  reason: ',"reason":',
  sacks: ',"sacks":[[',
  info: ',"info":',
} as const;

const TX = ascii(WORDS.tx);
const RX = ascii(WORDS.rx);
const TS_VAL = ascii(WORDS.tsVal);
const TS_ECR = ascii(WORDS.tsEcr);
const REASON = ascii(WORDS.reason);
const SACKS = ascii(WORDS.sacks);
const NEXT_SACK = ascii('],[');
const SACKS_END = ascii(']]');
const INFO = ascii(WORDS.info);
const COMMA = 0x2c;

/** @param sack row of `sacks` that belongs to no earlier segment. @returns the row that follows those of this segment. */
export function writeSegmentWords(out: ByteWriter, flow: FlowTrace, row: number, sack: number): number {
  const { segments, sacks } = flow;
  const info = segments.info[row]!;
  out.copy(isReceived(info) ? RX : TX);
  out.uint32(segmentFlags(info));
  const tsVal = segments.tsVal[row]!;
  const tsEcr = segments.tsEcr[row]!;
  const timestamps = hasTimestamps(info) || tsVal !== 0 || tsEcr !== 0;
  if (timestamps) {
    out.copy(TS_VAL);
    out.uint32(tsVal);
    out.copy(TS_ECR);
    out.uint32(tsEcr);
  }
  const reason = segmentReason(info);
  if (reason !== REASON_NONE) {
    out.copy(REASON);
    out.uint32(reason);
  }
  const wanted = flow.firstSegment + row;
  const blocks = sackBlocks(info);
  let found = 0;
  for (; found < blocks && sack < sacks.rows && sacks.segment[sack] === wanted; found++, sack++) {
    out.copy(found === 0 ? SACKS : NEXT_SACK);
    out.uint32(sacks.left[sack]!);
    out.byte(COMMA);
    out.uint32(sacks.right[sack]!);
  }
  if (found > 0) out.copy(SACKS_END);
  // What the other fields do not say: bits of a later version, stamps without the option, blocks that were lost.
  if (segmentInfo(isReceived(info), segmentFlags(info), reason, timestamps, found) >>> 0 !== info) {
    out.copy(INFO);
    out.uint32(info);
  }
  return sack;
}
