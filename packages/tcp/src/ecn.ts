import {
  ACE_MASK,
  AccurateEcn,
  aceFlags,
  agreesToAccurateEcn,
  asksForAccurateEcn,
  handshakeAce,
  newlyMarked,
} from './accurate-ecn.ts';
import type { Connection } from './connection.ts';
import { quicken } from './delayed-ack.ts';
import type { Segment } from './segment.ts';
import { ACK, CWR, ECE, HEADERS_BYTES, SYN } from './wire.ts';

/** ECN in TCP, RFC 3168 section 6.1, with the choices of Linux. Codepoints are the low bits of the TOS byte. */
const ECT_0 = 2;
const CE = 3;

/** ECN flags for our SYN: an ECN-setup SYN, unless one was lost (section 6.1.1.1). */
export function synEcnFlags(c: Connection, reply: boolean): number {
  if (reply) {
    if (c.accurateEcn !== undefined) return handshakeAce(c.accurateEcn);
    return c.ecnOk ? ECE : 0;
  }
  if (c.config.ecn !== 'on' || c.synRetries > 0) return 0;
  return c.config.accurateEcn ? ACE_MASK : ECE | CWR;
}

/**
 * Takes what a SYN or SYN-ACK says: an ECN-setup SYN has both flags, an ECN-setup SYN-ACK has ECE alone. A SYN that asks
 * for accurate ECN has all three, so to others it asks for ECN.
 */
export function negotiateEcn(c: Connection, segment: Segment): void {
  const { ecn, accurateEcn } = c.config;
  c.accurateEcn = undefined;
  if (segment.flags & ACK) {
    const asked = ecn === 'on' && c.synRetries === 0;
    const accurate = asked && accurateEcn && agreesToAccurateEcn(segment);
    if (accurate) c.accurateEcn = new AccurateEcn(segment, true);
    c.ecnOk = accurate || (asked && (segment.flags & (ECE | CWR)) === ECE);
  } else {
    c.ecnOk = ecn !== 'off' && (segment.flags & (ECE | CWR)) === (ECE | CWR);
    if (c.ecnOk && accurateEcn && asksForAccurateEcn(segment)) c.accurateEcn = new AccurateEcn(segment, false);
  }
}

/** ECN flags of a segment of ours: ECE until the peer answers with CWR, CWR once after a reduction with new data. */
export function segmentEcnFlags(c: Connection, newData: boolean): number {
  if (!c.ecnOk) return 0;
  if (c.accurateEcn !== undefined) return aceFlags(c.accurateEcn);
  let flags = c.ecnEcho ? ECE : 0;
  if (c.ecnReduced && newData) flags |= CWR;
  return flags;
}

/** The ECN codepoint: only new data is sent as ECN-capable (section 6.1.5). */
export function ecnCodepoint(c: Connection, newData: boolean): number {
  return c.ecnOk && newData && c.accurateEcn?.cleared !== true ? ECT_0 : 0;
}

/** A segment with data, or a CWR, has come: the receiver's part. */
export function receiveEcn(c: Connection, segment: Segment): void {
  if (!c.ecnOk || segment.flags & SYN) return;
  if (c.accurateEcn !== undefined) {
    receiveAccurateEcn(c, c.accurateEcn, segment);
    return;
  }
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

/** Every packet that came marked counts; a segment with data is answered at once, so that the sender learns soon. */
function receiveAccurateEcn(c: Connection, state: AccurateEcn, segment: Segment): void {
  if ((segment.tos & CE) !== CE) return;
  // A super-segment stands for several packets, which were marked alike.
  const packets = Math.max(1, Math.ceil(segment.bytes / (c.path.deviceMtu - HEADERS_BYTES)));
  state.received += packets;
  c.deliveredCeIn += packets;
  if (segment.bytes > 0) c.ackNow = true;
}

/** Whether an acknowledgment reports congestion. @param delivered packets that it newly covers. */
export function reportsCongestion(c: Connection, segment: Segment, delivered: number): boolean {
  if (!c.ecnOk) return false;
  if (c.accurateEcn !== undefined) return newlyMarked(c, c.accurateEcn, segment, delivered) > 0;
  return (segment.flags & (ECE | SYN)) === ECE;
}
