import type { Connection } from './connection.ts';
import { quicken } from './delayed-ack.ts';
import type { Segment } from './segment.ts';
import { ACK, CWR, ECE, SYN } from './wire.ts';

/** ECN in TCP, RFC 3168 section 6.1, with the choices of Linux. Codepoints are the low bits of the TOS byte. */
const ECT_0 = 2;
const CE = 3;

/** ECN flags for our SYN: an ECN-setup SYN, unless one was lost (section 6.1.1.1). */
export function synEcnFlags(c: Connection, reply: boolean): number {
  if (reply) return c.ecnOk ? ECE : 0;
  return c.config.ecn === 'on' && c.synRetries === 0 ? ECE | CWR : 0;
}

/** Takes what a SYN or SYN-ACK says: an ECN-setup SYN has both flags, an ECN-setup SYN-ACK has ECE alone. */
export function negotiateEcn(c: Connection, segment: Segment): void {
  const flags = segment.flags & (ECE | CWR);
  if (segment.flags & ACK) c.ecnOk = c.config.ecn === 'on' && c.synRetries === 0 && flags === ECE;
  else c.ecnOk = c.config.ecn !== 'off' && flags === (ECE | CWR);
}

/** ECN flags of a segment of ours: ECE until the peer answers with CWR, CWR once after a reduction with new data. */
export function segmentEcnFlags(c: Connection, newData: boolean): number {
  if (!c.ecnOk) return 0;
  let flags = c.ecnEcho ? ECE : 0;
  if (c.ecnReduced && newData) flags |= CWR;
  return flags;
}

/** The ECN codepoint: only new data is sent as ECN-capable (section 6.1.5). */
export function ecnCodepoint(c: Connection, newData: boolean): number {
  return c.ecnOk && newData ? ECT_0 : 0;
}

/** A segment with data, or a CWR, has come: the receiver's part. */
export function receiveEcn(c: Connection, segment: Segment): void {
  if (!c.ecnOk || segment.flags & SYN) return;
  if (segment.flags & CWR) {
    c.ecnEcho = false;
    if (segment.bytes > 0) c.ackNow = true;
  }
  if ((segment.tos & CE) === CE && segment.bytes > 0) {
    if (!c.ecnEcho) quicken(c, 2);
    c.ecnEcho = true;
    c.ackNow = true;
    c.deliveredCeIn++;
  }
}

/** Whether an acknowledgment reports congestion. */
export function reportsCongestion(c: Connection, segment: Segment): boolean {
  return c.ecnOk && (segment.flags & (ECE | SYN)) === ECE;
}
