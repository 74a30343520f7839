/** What happened in the stack around a segment, in words: the comments of packets in a pcapng file. */
import {
  EVENT_CONGESTION,
  EVENT_ERROR,
  EVENT_LIMITED,
  EVENT_RESET,
  EVENT_STATE,
  EVENT_TIMER_FIRED,
  EVENT_UNDO,
  TIMER_NAMES,
  TIMER_PACE,
  UNDO_NAMES,
} from '../kinds.ts';
import { REASON_NONE, reasonName, segmentReason } from '../segment-info.ts';
import type { FlowTrace } from '../trace.ts';
import { backoff, CA_NAMES, LIMITED_NAMES } from '../window-info.ts';

/** What waits for a segment to be shown with is cut at this length. */
const MAX_CHARACTERS = 2000;

const STATE_NAMES = [
  ...['UNKNOWN', 'ESTABLISHED', 'SYN-SENT', 'SYN-RECEIVED', 'FIN-WAIT-1', 'FIN-WAIT-2', 'TIME-WAIT'],
  ...['CLOSED', 'CLOSE-WAIT', 'LAST-ACK', 'LISTEN', 'CLOSING'],
];

/** Gathers what happened to a flow until its next segment. */
export class SegmentComments {
  readonly #flow: FlowTrace;
  #waiting = '';
  #cwnd = 0;
  #ssthresh = 0;

  constructor(flow: FlowTrace) {
    this.#flow = flow;
  }

  /** A row of `events` came. */
  event(row: number): void {
    const { events } = this.#flow;
    const a = events.a[row]!;
    const b = events.b[row]!;
    switch (events.kind[row]) {
      case EVENT_TIMER_FIRED:
        // Pacing fires for every burst: that it does is no news.
        if (a !== TIMER_PACE) this.#say(`${TIMER_NAMES[a] ?? `timer ${a}`} fired`);
        break;
      case EVENT_CONGESTION:
        this.#say(`congestion state ${CA_NAMES[a] ?? a} -> ${CA_NAMES[b] ?? b}`);
        break;
      case EVENT_UNDO:
        this.#say(`undo (${UNDO_NAMES[a] ?? a}), cwnd back to ${b}`);
        break;
      case EVENT_LIMITED:
        this.#say(`limited by ${LIMITED_NAMES[a] ?? a} -> ${LIMITED_NAMES[b] ?? b}`);
        break;
      case EVENT_STATE:
        this.#say(`${STATE_NAMES[a] ?? a} -> ${STATE_NAMES[b] ?? b}`);
        break;
      case EVENT_RESET:
        this.#say(a === 0 ? 'reset by this end' : 'reset by the peer');
        break;
      case EVENT_ERROR:
        this.#say('the connection failed');
        break;
    }
  }

  /** A row of `windows` came: that cwnd grows is no news, that it shrinks, or that ssthresh changes, is. */
  window(row: number): void {
    const { windows } = this.#flow;
    const cwnd = windows.cwnd[row]!;
    const ssthresh = windows.ssthresh[row]!;
    if (this.#cwnd > 0 && (cwnd < this.#cwnd || ssthresh !== this.#ssthresh)) {
      if (cwnd !== this.#cwnd) this.#say(`cwnd ${this.#cwnd} -> ${cwnd}`);
      if (ssthresh !== this.#ssthresh) this.#say(`ssthresh ${this.#ssthresh} -> ${ssthresh}`);
      const retries = backoff(windows.info[row]!);
      if (retries > 0) this.#say(`backoff ${retries}, RTO ${windows.rtoUs[row]!} us`);
    }
    this.#cwnd = cwnd;
    this.#ssthresh = ssthresh;
  }

  /** @returns the comment of a row of `segments`, '' when there is nothing to say. */
  take(row: number): string {
    const reason = segmentReason(this.#flow.segments.info[row]!);
    const waiting = this.#waiting;
    if (reason === REASON_NONE && waiting === '') return '';
    this.#waiting = '';
    if (reason === REASON_NONE) return waiting;
    const why = `retransmission (${reasonName(reason)})`;
    return waiting === '' ? why : `${why}; ${waiting}`;
  }

  #say(text: string): void {
    if (this.#waiting === '') this.#waiting = text;
    else if (this.#waiting.length < MAX_CHARACTERS) this.#waiting += `; ${text}`;
  }
}
