import { FlowLog } from './flow-log.ts';
import {
  OP_RX,
  OP_TX,
  OP_WND,
  RECORD_DOUBLES,
  RECORD_WORDS,
  saturate,
  WORD_BYTES,
  WORD_DELAY,
  WORD_DETAILS,
  WORD_OP,
  WORD_WINDOW,
} from './record.ts';
import { isReceived, segmentFlags, segmentReason } from './segment-info.ts';
import type { SegmentTable, WindowTable } from './tables.ts';
import { backoff, isInRecovery } from './window-info.ts';

const RETRANSMISSION = 0x1_0000;

/**
 * Segments and window updates as the 2013 log had them: one sequence.
 * @param count how many of both together, the youngest. @param overwritten what the log says of older ones.
 */
export function mergedLog(segments: SegmentTable, windows: WindowTable, count: number, overwritten: number): FlowLog {
  const words = new Int32Array(count * RECORD_WORDS);
  const times = new Float64Array(words.buffer);
  let segment = segments.rows - 1;
  let window = windows.rows - 1;
  for (let record = count - 1; record >= 0; record--) {
    const isSegment = window < 0 || (segment >= 0 && ((segments.order[segment]! - windows.order[window]!) | 0) > 0);
    if (isSegment) packSegment(segments, segment--, words, times, record);
    else packWindow(windows, window--, words, times, record);
  }
  return new FlowLog({ buffer: words.buffer, count, overwritten });
}

function packSegment(table: SegmentTable, row: number, words: Int32Array, times: Float64Array, record: number): void {
  const word = record * RECORD_WORDS;
  const info = table.info[row]!;
  const op = isReceived(info) ? OP_RX : OP_TX;
  times[record * RECORD_DOUBLES] = table.timeUs[row]!;
  words[word + WORD_OP] = op | (segmentFlags(info) << 8) | (segmentReason(info) === 0 ? 0 : RETRANSMISSION);
  words[word + WORD_DELAY] = saturate(table.delayUs[row]!);
  words[word + WORD_DETAILS] = table.seq[row]!;
  words[word + WORD_DETAILS + 1] = table.ack[row]!;
  words[word + WORD_BYTES] = table.bytes[row]!;
  words[word + WORD_WINDOW] = table.window[row]!;
}

function packWindow(table: WindowTable, row: number, words: Int32Array, times: Float64Array, record: number): void {
  const word = record * RECORD_WORDS;
  const info = table.info[row]!;
  times[record * RECORD_DOUBLES] = table.timeUs[row]!;
  words[word + WORD_OP] = OP_WND;
  const at = word + WORD_DETAILS;
  words[at] = table.sndNxt[row]!;
  words[at + 1] = table.segAck[row]!;
  words[at + 2] = table.sndUna[row]!;
  words[at + 3] = table.rcvNxt[row]!;
  words[at + 4] = backoff(info);
  words[at + 5] = saturate(table.sndWnd[row]!);
  words[at + 6] = saturate(table.rcvWnd[row]!);
  words[at + 7] = table.cwnd[row]!;
  words[at + 8] = table.ssthresh[row]!;
  words[at + 9] = isInRecovery(info) ? 1 : 0;
  words[at + 10] = table.recoveryPoint[row]!;
}
