/** What the connection's retransmission deadline stands for: there is one, and these take turns in it. */
export const TIMER_RETRANSMIT = 0;
/** Probe of a closed window (RFC 9293 section 3.8.6.1). */
export const TIMER_PERSIST = 1;
/** Tail loss probe (RFC 8985 section 7). */
export const TIMER_LOSS_PROBE = 2;
/** End of RACK's reordering window (RFC 8985 section 6.3). */
export const TIMER_REORDER = 3;
