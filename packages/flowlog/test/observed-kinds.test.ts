import * as tcp from '@qanat/tcp';
import { expect, it } from 'vitest';
import * as flowlog from '../src/index.ts';

it('numbers what TCP tells as files have it', () => {
  expect([tcp.SEEN_TIMER_FIRED, tcp.SEEN_UNDO, tcp.SEEN_READ, tcp.SEEN_WRITE]).toEqual([
    flowlog.EVENT_TIMER_FIRED,
    flowlog.EVENT_UNDO,
    flowlog.EVENT_READ,
    flowlog.EVENT_WRITE,
  ]);
  expect([tcp.SEEN_WAIT, tcp.SEEN_WAKE, tcp.SEEN_CLOSE]).toEqual([
    flowlog.EVENT_WAIT,
    flowlog.EVENT_WAKE,
    flowlog.EVENT_CLOSE,
  ]);
  expect([tcp.RESENT_FAST, tcp.RESENT_RTO, tcp.RESENT_LOSS_PROBE, tcp.RESENT_AFTER_RTO]).toEqual([
    flowlog.REASON_FAST,
    flowlog.REASON_RTO,
    flowlog.REASON_LOSS_PROBE,
    flowlog.REASON_AFTER_RTO,
  ]);
  expect([tcp.RESENT_SYN, tcp.RESENT_PROBE, tcp.RESENT_MTU, tcp.RESENT_OTHER]).toEqual([
    flowlog.REASON_SYN,
    flowlog.REASON_PROBE,
    flowlog.REASON_MTU,
    flowlog.REASON_OTHER,
  ]);
  expect([tcp.FIRED_DELAYED_ACK, tcp.FIRED_KEEPALIVE, tcp.FIRED_PACE, tcp.FIRED_LIFE]).toEqual([
    flowlog.TIMER_DELAYED_ACK,
    flowlog.TIMER_KEEPALIVE,
    flowlog.TIMER_PACE,
    flowlog.TIMER_TIME_WAIT,
  ]);
  expect([tcp.UNDONE_DSACK, tcp.UNDONE_EIFEL, tcp.UNDONE_FRTO]).toEqual([
    flowlog.UNDO_DSACK,
    flowlog.UNDO_EIFEL,
    flowlog.UNDO_FRTO,
  ]);
  expect([tcp.WAITS_READABLE, tcp.WAITS_WRITABLE, tcp.WAITS_CONNECT, tcp.WAITS_CLOSE]).toEqual([
    flowlog.WAIT_READABLE,
    flowlog.WAIT_WRITABLE,
    flowlog.WAIT_CONNECT,
    flowlog.WAIT_CLOSE,
  ]);
});
