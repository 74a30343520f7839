/** The events of one flow as qlog: packets that were sent, received and lost; metrics and the state of the congestion control. */
import {
  hasTimestamps,
  isReceived,
  REASON_NONE,
  REASON_PROBE,
  sackBlocks,
  segmentFlags,
  segmentReason,
} from '../segment-info.ts';
import type { FlowTrace } from '../trace.ts';
import { caState, isInRecovery } from '../window-info.ts';
import { type Ascii, ascii, type ByteWriter } from './byte-writer.ts';
import { QlogPackets } from './qlog-packets.ts';

/** Most bytes that the events of a row have. */
export const MAX_ROW_BYTES = 2048;

/** What stands around the data of an event. */
export interface QlogStyle {
  readonly begin: Ascii;
  /** Between the time and the data. */
  readonly names: (category: string, event: string) => Ascii;
  readonly end: Ascii;
  /** Between two events. */
  readonly separator: Ascii;
}

const FLAG_FIN = 0x01;
const FLAG_SYN = 0x02;
const FLAG_ACK = 0x10;
const FLAG_NAMES = ['fin', 'syn', 'reset', 'push', 'ack', 'urgent', 'ece', 'cwr'];
/** What each byte of flags says, and the end of the packet. */
const DETAILS = Array.from({ length: 256 }, (_, flags) => {
  const set = FLAG_NAMES.filter((_name, bit) => flags & (1 << bit));
  return ascii(`],"details":[{"type":"flags"${set.map((name) => `,"${name}":true`).join('')}}]}`);
});
const TCP_BYTES = 20;
const TIMESTAMPS_BYTES = 12;
/** Linux's threshold while no loss has set it. */
const NO_THRESHOLD = 0x7fff_ffff;

const PACKET_NUMBER = ascii('{"packet_type":"1RTT","header":{"packet_number":');
const SEQUENCE_NUMBER = ascii(',"sequence_number":');
const ACKNOWLEDGEMENT_NUMBER = ascii(',"acknowledgement_number":');
const PAYLOAD_LENGTH = ascii(',"payload_length":');
const HEADER_LENGTH = ascii(',"header_length":');
const PACKET_SIZE = ascii(',"packet_size":');
const RAW_LENGTH = ascii('},"raw":{"length":');
const FRAMES = ascii('},"frames":[');
const ACK_FRAME = ascii('{"frame_type":"ack","acked_ranges":[[');
const ACK_FRAME_END = ascii(']]}');
const COMMA = 0x2c;

const LOST_NUMBER = ascii('{"packet_number":');
const LOST_HEADER = ascii(',"header":{"packet_number":');
const LOST_END = ascii('}}');

const STATES = ['slow_start', 'congestion_avoidance', 'recovery'] as const;
const SLOW_START = 0;
const CONGESTION_AVOIDANCE = 1;
const RECOVERY = 2;
/** From each state, and (last) from none, to each. */
const STATE_CHANGES = [...STATES, undefined].map((from) => {
  const old = from === undefined ? '' : `"old":"${from}",`;
  return STATES.map((to) => ascii(`{${old}"new":"${to}"}`));
});

/** The names of draft-01 and of later drafts. */
const CWND = ascii('{"cwnd":');
const CONGESTION_WINDOW = ascii(',"congestion_window":');
const BYTES_IN_FLIGHT = ascii(',"bytes_in_flight":');
const SSTHRESH = ascii(',"ssthresh":');
const SMOOTHED_RTT = ascii(',"smoothed_rtt":');
const MIN_RTT = ascii(',"min_rtt":');
const RTT_VARIANCE = ascii(',"rtt_variance":');
const PACING_RATE = ascii(',"pacing_rate":');
const RECEIVE_WINDOW = ascii(',"receive_window":');
const OBJECT_END = 0x7d;

/** Writes the events of rows, which come in the order of time; the room is there. */
export class QlogEvents {
  readonly #out: ByteWriter;
  readonly #flow: FlowTrace;
  readonly #style: QlogStyle;
  readonly #sentNames: Ascii;
  readonly #receivedNames: Ascii;
  readonly #lostNames: Ascii;
  readonly #metricsNames: Ascii;
  readonly #stateNames: Ascii;
  readonly #inFlight = new QlogPackets();
  #isFirst = true;
  #startUs = Number.NaN;
  #sent = 0;
  #received = 0;
  /** Index into STATES; beyond them: none yet. */
  #state: number = STATES.length;
  /** Row of the metrics that were written last. */
  #metrics = -1;

  constructor(out: ByteWriter, flow: FlowTrace, style: QlogStyle) {
    this.#out = out;
    this.#flow = flow;
    this.#style = style;
    this.#sentNames = style.names('transport', 'packet_sent');
    this.#receivedNames = style.names('transport', 'packet_received');
    this.#lostNames = style.names('recovery', 'packet_lost');
    this.#metricsNames = style.names('recovery', 'metrics_updated');
    this.#stateNames = style.names('recovery', 'congestion_state_updated');
  }

  segment(row: number): void {
    const { segments } = this.#flow;
    const info = segments.info[row]!;
    const flags = segmentFlags(info);
    const inFlight = this.#inFlight;
    const timeUs = segments.timeUs[row]!;
    if (isReceived(info)) {
      inFlight.lowest = -1;
      // A log of 2013 has no flags: all its segments acknowledge.
      if (flags & FLAG_ACK || flags === 0) inFlight.acknowledge(segments.ack[row]!);
      this.#packet(row, timeUs, this.#receivedNames, this.#received++, inFlight.lowest, inFlight.highest);
      return;
    }
    const seq = segments.seq[row]!;
    const end = (seq + segments.bytes[row]! + (flags & FLAG_SYN ? 1 : 0) + (flags & FLAG_FIN ? 1 : 0)) | 0;
    const reason = segmentReason(info);
    if (reason !== REASON_NONE && reason !== REASON_PROBE) {
      const lost = inFlight.sentAgain(seq, end, this.#sent);
      if (lost >= 0) this.#lost(timeUs, lost);
    } else if (end !== seq) inFlight.sent(seq, end, this.#sent);
    this.#packet(row, timeUs, this.#sentNames, this.#sent++, -1, -1);
  }

  window(row: number): void {
    const { windows } = this.#flow;
    const timeUs = windows.timeUs[row]!;
    const info = windows.info[row]!;
    const grows = windows.cwnd[row]! < windows.ssthresh[row]! ? SLOW_START : CONGESTION_AVOIDANCE;
    const state = isInRecovery(info) || caState(info) >= 3 ? RECOVERY : grows;
    if (state !== this.#state) {
      this.#begin(timeUs, this.#stateNames);
      this.#out.copy(STATE_CHANGES[this.#state]![state]!);
      this.#out.copy(this.#style.end);
      this.#state = state;
    }
    if (this.#metrics < 0 || this.#differ(row, this.#metrics)) {
      this.#begin(timeUs, this.#metricsNames);
      this.#writeMetrics(row);
      this.#out.copy(this.#style.end);
    }
    this.#metrics = row;
  }

  /** The event up to its data. */
  #begin(timeUs: number, names: Ascii): void {
    const out = this.#out;
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#startUs = timeUs;
    } else out.copy(this.#style.separator);
    out.copy(this.#style.begin);
    out.milliseconds(timeUs - this.#startUs);
    out.copy(names);
  }

  /** @param lowest @param highest packets that it acknowledges, -1: none. */
  #packet(row: number, timeUs: number, names: Ascii, number: number, lowest: number, highest: number): void {
    const out = this.#out;
    const { segments } = this.#flow;
    const info = segments.info[row]!;
    const blocks = sackBlocks(info);
    const headerBytes = TCP_BYTES + (hasTimestamps(info) ? TIMESTAMPS_BYTES : 0) + (blocks > 0 ? 4 + 8 * blocks : 0);
    const bytes = segments.bytes[row]!;
    this.#begin(timeUs, names);
    out.copy(PACKET_NUMBER);
    out.integer(number);
    out.copy(SEQUENCE_NUMBER);
    out.uint32(segments.seq[row]!);
    out.copy(ACKNOWLEDGEMENT_NUMBER);
    out.uint32(segments.ack[row]!);
    out.copy(PAYLOAD_LENGTH);
    out.integer(bytes);
    out.copy(HEADER_LENGTH);
    out.uint32(headerBytes);
    out.copy(PACKET_SIZE);
    out.integer(headerBytes + bytes);
    out.copy(RAW_LENGTH);
    out.integer(headerBytes + bytes);
    out.copy(PAYLOAD_LENGTH);
    out.integer(bytes);
    out.copy(FRAMES);
    if (lowest >= 0) {
      out.copy(ACK_FRAME);
      out.integer(lowest);
      out.byte(COMMA);
      out.integer(highest);
      out.copy(ACK_FRAME_END);
    }
    out.copy(DETAILS[segmentFlags(info)]!);
    out.copy(this.#style.end);
  }

  #lost(timeUs: number, number: number): void {
    const out = this.#out;
    this.#begin(timeUs, this.#lostNames);
    out.copy(LOST_NUMBER);
    out.integer(number);
    out.copy(LOST_HEADER);
    out.integer(number);
    out.copy(LOST_END);
    out.copy(this.#style.end);
  }

  /** Whether the metrics of two rows are not the same. */
  #differ(a: number, b: number): boolean {
    const { cwnd, ssthresh, srttUs, minRttUs, rttvarUs, pacingRate, sndWnd } = this.#flow.windows;
    return (
      cwnd[a] !== cwnd[b] ||
      this.#bytesInFlight(a) !== this.#bytesInFlight(b) ||
      ssthresh[a] !== ssthresh[b] ||
      srttUs[a] !== srttUs[b] ||
      minRttUs[a] !== minRttUs[b] ||
      rttvarUs[a] !== rttvarUs[b] ||
      pacingRate[a] !== pacingRate[b] ||
      sndWnd[a] !== sndWnd[b]
    );
  }

  #bytesInFlight(row: number): number {
    const { pipe, sndNxt, sndUna } = this.#flow.windows;
    return pipe[row]! || (sndNxt[row]! - sndUna[row]!) >>> 0;
  }

  /** What the log does not know is left out. */
  #writeMetrics(row: number): void {
    const out = this.#out;
    const { windows } = this.#flow;
    const pacing = windows.pacingRate[row]!;
    out.copy(CWND);
    out.uint32(windows.cwnd[row]!);
    out.copy(CONGESTION_WINDOW);
    out.uint32(windows.cwnd[row]!);
    out.copy(BYTES_IN_FLIGHT);
    out.uint32(this.#bytesInFlight(row));
    if (windows.ssthresh[row]! < NO_THRESHOLD) {
      out.copy(SSTHRESH);
      out.uint32(windows.ssthresh[row]!);
    }
    this.#time(SMOOTHED_RTT, windows.srttUs[row]!);
    this.#time(MIN_RTT, windows.minRttUs[row]!);
    this.#time(RTT_VARIANCE, windows.rttvarUs[row]!);
    if (pacing > 0 && pacing < Number.MAX_SAFE_INTEGER / 8) {
      out.copy(PACING_RATE);
      out.integer(Math.round(pacing * 8));
    }
    out.copy(RECEIVE_WINDOW);
    out.uint32(windows.sndWnd[row]!);
    out.byte(OBJECT_END);
  }

  #time(name: Ascii, us: number): void {
    if (us === 0) return;
    this.#out.copy(name);
    this.#out.milliseconds(us);
  }
}
