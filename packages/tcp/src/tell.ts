import type { Connection } from './connection.ts';
import {
  EVENT_CLOSE,
  EVENT_CONNECT,
  EVENT_END,
  EVENT_READABLE,
  EVENT_RETURNED,
  EVENT_TROUBLE,
  EVENT_URGENT,
  EVENT_WRITABLE,
} from './context.ts';
import { observeWake } from './observe.ts';
import { WAITS_CLOSE, WAITS_CONNECT, WAITS_READABLE, WAITS_WRITABLE } from './observer.ts';
import { CLOSED } from './state.ts';

/** Tells a connection's user what has happened to it. */
export function tell(c: Connection): void {
  const events = c.events;
  c.events = 0;
  const user = c.user;
  if (user === undefined) return;
  if (c.observer !== undefined) observeTold(c, events);
  if (events & EVENT_CONNECT) user.onConnect();
  if (events & EVENT_URGENT) user.onUrgent();
  if (events & EVENT_TROUBLE && c.state !== CLOSED) user.onTrouble?.(c.trouble);
  if (events & EVENT_READABLE && c.rcv.readable > 0) user.onReadable();
  if (events & EVENT_END) user.onEnd();
  if (events & EVENT_RETURNED) user.onReturned?.();
  if (events & EVENT_WRITABLE && c.state !== CLOSED) user.onWritable();
  if (events & EVENT_CLOSE) user.onClose(c.error);
}

/** Which of the events that a user is told of end a wait. */
function observeTold(c: Connection, events: number): void {
  if (events & EVENT_CONNECT) observeWake(c, WAITS_CONNECT);
  if (events & EVENT_READABLE && c.rcv.readable > 0) observeWake(c, WAITS_READABLE);
  if (events & EVENT_WRITABLE && c.state !== CLOSED) observeWake(c, WAITS_WRITABLE);
  // Of one that is closed that was said when it was.
  if (events & EVENT_CLOSE && c.state !== CLOSED) observeWake(c, WAITS_CLOSE);
}
