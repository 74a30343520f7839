import type { Connection } from './connection.ts';
import type { Segment } from './segment.ts';
import { ACE_SHIFT, AE, CWR, ECE } from './wire.ts';

/**
 * Accurate ECN, RFC 9768: the three flags are a counter of the packets that came marked CE (ACE), so that a sender
 * learns how many were, not only that some were. The TCP option that counts bytes is not sent, as section 3.2.3 allows.
 */
export const ACE_MASK = AE | CWR | ECE;
const ACE_MODULUS = 8;
/** Counters begin here, so that a middlebox that clears the flags is found out (section 3.2.1). */
const FIRST_CEP = 5;

/** ACE of a SYN-ACK and of the ACK that answers it, by the IP-ECN field of the SYN or SYN-ACK (tables 2 and 3). */
const NOT_ECT_SEEN = 0b010;
const ECT_1_SEEN = 0b011;
const ECT_0_SEEN = 0b100;
const CE_SEEN = 0b110;
const HANDSHAKE_ACE = [NOT_ECT_SEEN, ECT_1_SEEN, ECT_0_SEEN, CE_SEEN] as const;

/** What a connection that agreed on it remembers. */
export class AccurateEcn {
  /** Packets that came marked CE (r.cep). */
  received = FIRST_CEP;
  /** Packets of ours that the peer has said it got so marked (s.cep). */
  reported = FIRST_CEP;
  /** IP-ECN field of the peer's SYN or SYN-ACK, which the answer to it tells. */
  readonly synCodepoint: number;
  /** The next segment answers the SYN-ACK. */
  answersSynAck: boolean;
  /** Somebody on the way clears the flags: what we send must not be marked any more. */
  cleared = false;

  constructor(segment: Segment, active: boolean) {
    this.synCodepoint = segment.tos & 3;
    this.answersSynAck = active;
  }
}

/** Whether a SYN asks for it. */
export function asksForAccurateEcn(segment: Segment): boolean {
  return (segment.flags & ACE_MASK) === ACE_MASK;
}

/** Whether a SYN-ACK agrees to it; others say classic ECN or none (table 2). */
export function agreesToAccurateEcn(segment: Segment): boolean {
  return (HANDSHAKE_ACE as readonly number[]).includes(aceOf(segment.flags));
}

/** The flags of a SYN-ACK. */
export function handshakeAce(state: AccurateEcn): number {
  return flagsOf(HANDSHAKE_ACE[state.synCodepoint]!);
}

/** The flags of any segment after the handshake's. */
export function aceFlags(state: AccurateEcn): number {
  if (!state.answersSynAck) return flagsOf(state.received % ACE_MODULUS);
  state.answersSynAck = false;
  return handshakeAce(state);
}

/** The ACK of our SYN-ACK tells how that came through (section 3.2.2.1). */
export function synAckReported(state: AccurateEcn, segment: Segment): void {
  const ace = aceOf(segment.flags);
  if (ace === 0) state.cleared = true;
  state.reported = ace === CE_SEEN ? FIRST_CEP + 1 : FIRST_CEP;
}

/**
 * @param delivered packets that the acknowledgment newly covers.
 * @returns how many of ours the peer newly says it got marked. Where the counter has moved and may have gone round, as
 * many as it can have been (section 3.2.2.5, the safe way); one that stands is believed, as receivers answer marks at
 * once, and an ACK of many packets is nothing rare.
 */
export function newlyMarked(c: Connection, state: AccurateEcn, segment: Segment, delivered: number): number {
  if (state.cleared || delivered <= 0) return 0;
  const step = (aceOf(segment.flags) - (state.reported % ACE_MODULUS) + ACE_MODULUS) % ACE_MODULUS;
  if (step === 0) return 0;
  const marked = delivered < ACE_MODULUS ? step : delivered - ((delivered - step) % ACE_MODULUS);
  state.reported += marked;
  c.deliveredCe += marked;
  return marked;
}

function aceOf(flags: number): number {
  return (flags & ACE_MASK) >>> ACE_SHIFT;
}

function flagsOf(ace: number): number {
  return ace << ACE_SHIFT;
}
