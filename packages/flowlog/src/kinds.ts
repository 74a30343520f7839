/** What the `kind` columns say, and what `a`, `b` and `c` are for each. The numbers are in files: they never change. */

// ---- events of a flow ----

/** `a` the old and `b` the new state, as Linux numbers them. */
export const EVENT_STATE = 1;
/** The options of a SYN or SYN-ACK: `a` the MSS (0: none), `b` the SYN_* bits and the window shift in bits 0-3. */
export const EVENT_SYN_OPTIONS = 2;
/** `a` which timer (TIMER_*), `b` microseconds from now. */
export const EVENT_TIMER_ARMED = 3;
/** `a` which timer. */
export const EVENT_TIMER_FIRED = 4;
/** The congestion state changed: `a` from, `b` to (window-info.ts, CA_NAMES). */
export const EVENT_CONGESTION = 5;
/** A reduction of the window was taken back: `a` why (UNDO_*), `b` the window after it in bytes. */
export const EVENT_UNDO = 6;
/** The application took `a` bytes. */
export const EVENT_READ = 7;
/** The application wrote: `a` bytes accepted, `b` bytes offered. */
export const EVENT_WRITE = 8;
/** The application waits for `a` (WAIT_*). */
export const EVENT_WAIT = 9;
/** What the application waited for, `a`, is there. */
export const EVENT_WAKE = 10;
/** What limits the sender changed: `a` from, `b` to (window-info.ts, LIMITED_*). */
export const EVENT_LIMITED = 11;
/** The application closed (`a` 0) or shut its sending side (`a` 1). */
export const EVENT_CLOSE = 12;
/** The connection was reset: `a` 0 by us, 1 by the peer. */
export const EVENT_RESET = 13;
/** The connection failed: `a` an index into the strings of the source. */
export const EVENT_ERROR = 14;

export const SYN_SHIFT_MASK = 0xf;
export const SYN_WINDOW_SCALE = 0x10;
export const SYN_SACK_PERMITTED = 0x20;
export const SYN_TIMESTAMPS = 0x40;
export const SYN_FAST_OPEN = 0x80;
/** Received; else sent. */
export const SYN_RX = 0x100;

export const TIMER_RTO = 0;
export const TIMER_PERSIST = 1;
export const TIMER_LOSS_PROBE = 2;
export const TIMER_REORDER = 3;
export const TIMER_DELAYED_ACK = 4;
export const TIMER_KEEPALIVE = 5;
export const TIMER_PACE = 6;
/** The end of TIME-WAIT, or of a FIN-WAIT-2 or linger that takes too long. */
export const TIMER_TIME_WAIT = 7;

export const TIMER_NAMES: readonly string[] = [
  'RTO',
  'persist',
  'loss probe',
  'reorder',
  'delayed ACK',
  'keep-alive',
  'pace',
  'TIME-WAIT',
];

export const UNDO_DSACK = 1;
export const UNDO_EIFEL = 2;
export const UNDO_FRTO = 3;

export const UNDO_NAMES: readonly string[] = ['', 'D-SACK', 'Eifel', 'F-RTO'];

export const WAIT_READABLE = 0;
export const WAIT_WRITABLE = 1;
export const WAIT_CONNECT = 2;
export const WAIT_CLOSE = 3;

export const WAIT_NAMES: readonly string[] = ['readable', 'writable', 'connect', 'close'];

export const EVENT_NAMES: readonly string[] = [
  '',
  'state',
  'SYN options',
  'timer armed',
  'timer fired',
  'congestion state',
  'undo',
  'read',
  'write',
  'wait',
  'wake',
  'limited by',
  'close',
  'reset',
  'error',
];

// ---- machine events ----

/** The domain goes to sleep: `a` microseconds until its next deadline, -1: none. */
export const MACHINE_SLEEP = 1;
/** It woke: `a` the port whose event did it, -1: time; `b` what the port is (PORT_*). */
export const MACHINE_WAKE = 2;
/**
 * Slots of a ring were published: `a` which ring (RING_*), `c` the ring's number (vif << 8 | queue). `b`: of a frontend's TX ring the
 * requests in use after it, of its RX ring the pages that are posted and not filled yet; of a backend the answers published.
 */
export const MACHINE_RING_PUSH = 3;
/** A frontend took answers off its TX ring: `a` and `c` as above; `b` the requests in use after it. Until MACHINE_RX_REAP also of RX. */
export const MACHINE_RING_REAP = 4;
/** `a` the port. */
export const MACHINE_NOTIFY_SENT = 5;
/** The peer did not ask to be told: `a` the port. */
export const MACHINE_NOTIFY_SUPPRESSED = 6;
/** Frames wait in the bridge for a port: `a` the vif (domain << 8 | device), `b` packets, `c` bytes. */
export const MACHINE_QUEUE = 7;
/** The bridge dropped a frame: `a` the vif it was for, `b` why (DROP_*). */
export const MACHINE_DROP = 8;
/** The sleep auditor found the sleep wrong: `a` an index into the strings of the source. */
export const MACHINE_SLEEP_FAULT = 9;
/** A frontend takes packets off its RX ring: `a` and `c` as above; `b` the pages that are posted and not filled yet. */
export const MACHINE_RX_REAP = 10;

export const RING_TX = 0;
export const RING_RX = 1;

/** What kind of port an event channel is. */
export const PORT_INTERDOMAIN = 0;
export const PORT_VIRQ = 1;
export const PORT_IPI = 2;

export const DROP_QUEUE_FULL = 1;
export const DROP_NO_BUFFER = 2;
export const DROP_NO_CARRIER = 3;
/** An impaired link lost it. */
export const DROP_LINK = 4;
export const DROP_OTHER = 15;

export const MACHINE_NAMES: readonly string[] = [
  '',
  'sleep',
  'wake',
  'ring push',
  'ring reap',
  'notify',
  'notify suppressed',
  'bridge queue',
  'bridge drop',
  'sleep fault',
  'ring reap',
];
