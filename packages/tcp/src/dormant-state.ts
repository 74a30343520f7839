import { NEVER } from '@qanat/clock';
import type { Connection } from './connection.ts';
import { DormantRows } from './dormant-rows.ts';
import { MtuProbe } from './mtu-state.ts';
import { ESTABLISHED, TIME_WAIT } from './state.ts';

/** The parts of a connection that have fields of their own to be kept. */
const PARTS = 4;
type Part = Record<string, unknown>;
/** Part and name of a field. */
type Field = readonly [part: number, name: string];

function partOf(c: Connection, part: number): Part {
  return (part === 0 ? c : part === 1 ? c.rtt : part === 2 ? c.rack : c.rtx) as unknown as Part;
}

function fields(part: number, names: string): Field[] {
  return names.split(/\s+/).map((name) => [part, name] as const);
}

/** Fields of nearly every connection that are int32. */
const INTS: readonly Field[] = [
  ...fields(0, 'iss sndUna sndNxt sndWnd sndWl1 sndWl2 maxSndWnd sndWndShift mss peerMss smallEnd'),
  ...fields(
    0,
    'irs rcvNxt rcvAdv rcvGrown rcvClamp rcvCopied rcvSpace rcvWndShift rcvMss lastAckSent quickAcks segAck',
  ),
  ...fields(0, 'tsRecent tsOffset cwnd ssthresh recoveryPoint retransmitHint lossMarked sackHigh'),
  ...fields(0, 'maxPacketsOut cwndUsageSeq cwndUsed rcvRttEcr rcvRttSeq appLimited rateDelivered delivered'),
  ...fields(0, 'segsOut segsIn dataSegsOut dataSegsIn'),
  ...fields(1, 'samples'),
  ...fields(2, 'order'),
  ...fields(3, 'transmissions'),
];

/** Those that are doubles: times, and counts of bytes. */
const DOUBLES: readonly Field[] = [
  ...fields(0, 'tsRecentUs rcvSpaceSinceUs dataReceivedUs synSentUs cwndUsedUpUs lastSentUs lastReceivedUs'),
  ...fields(0, 'establishedUs rcvRttUs rcvRttSinceUs deliveredUs firstSentUs rateIntervalUs chronoSinceUs busyUs'),
  ...fields(0, 'keepAliveAtUs bytesAcked bytesReceived bytesSent'),
  ...fields(1, 'srttUs rttvarUs rtoUs minRttUs latestUs'),
  ...fields(2, 'xmitUs rttUs'),
];

/** Those that are true or false: a bit each of the last int. */
const FLAGS: readonly Field[] = fields(
  0,
  'passive timestampsOk sackOk windowScaleOk ecnOk answering cwndLimited rateAppLimited hasRead',
);

/** What is not kept as a field: who it is, what is empty, and what `sleepsWell` asks for. */
const APART = new Set(
  (
    'tcp config path localAddress localPort remoteAddress remotePort headerSum flowHash slot generation user parent observer ' +
    'state snd rcv rtx rtt rack cc model timer eors counters mtuProbe touched'
  ).split(' '),
);

/** Objects that know nothing of the connection they belong to: kept as they are. */
const KEPT_OBJECTS = new Set(['accurateEcn']);

/** Fields that TIME-WAIT needs (RFC 9293 section 3.10.7.4, RFC 7323, RFC 6191): where the two ends are, and the window. */
const WAIT_INTS = fields(0, 'sndNxt rcvNxt rcvAdv tsRecent tsOffset rcvGrown rcvClamp rcvMss rcvWndShift');
const WAIT_DOUBLES = fields(0, 'tsRecentUs challengeAtUs lifeAtUs');
const WAIT_FLAGS = fields(0, 'timestampsOk sackOk ecnOk ecnEcho');

/** What of a sleeping connection fits no row: few have any. */
export interface Rarities {
  readonly cc: Connection['cc'] | undefined;
  readonly counters: Connection['counters'];
  readonly mtuProbe: Connection['mtuProbe'];
  /** Part, name and value of each field that is not as in a fresh connection. */
  readonly fields: readonly (readonly [part: number, name: string, value: unknown])[];
}

/** Whether nothing is under way at either end, and nobody watches. */
export function isQuiet(c: Connection): boolean {
  const { snd, rcv, rtx } = c;
  return (
    c.state === ESTABLISHED &&
    !c.touched &&
    c.events === 0 &&
    rtx.packetsOut === 0 &&
    snd.bytes === 0 &&
    snd.kept === snd.una &&
    !c.awaitsAnswers &&
    c.sndNxt === c.sndUna &&
    rcv.readable === 0 &&
    rcv.rangeCount === 0 &&
    c.rcvNxt === c.lastAckSent &&
    rcv.nextSeq === c.rcvNxt &&
    !c.ackNow &&
    !c.txBlocked &&
    !c.paceHeld &&
    c.rtoAtUs === NEVER &&
    c.delayedAckAtUs === NEVER &&
    c.lifeAtUs === NEVER &&
    !c.finQueued &&
    c.eorCount === 0 &&
    c.parent === undefined &&
    c.observer === undefined &&
    c.model === undefined &&
    c.user?.onSleep !== undefined
  );
}

/** Turns connections into rows of numbers and back. Every field that differs from a fresh connection's is kept. */
export class DormantState {
  readonly idle = new DormantRows(INTS.length + 3, DOUBLES.length);
  readonly waits = new DormantRows(WAIT_INTS.length + 1, WAIT_DOUBLES.length);
  /** A connection as it is made, and the names of the fields that have no column. */
  #fresh: Connection | undefined;
  readonly #others: string[][] = [];

  /** @returns what fits no row (undefined: nothing), or false where the connection must stay as it is. */
  rarities(c: Connection, fresh: () => Connection): Rarities | undefined | false {
    if (this.#fresh === undefined) this.#know(fresh());
    for (const [part, name] of INTS) {
      const value = partOf(c, part)[name] as number;
      if ((value | 0) !== value) return false;
    }
    const others: [number, string, unknown][] = [];
    for (let part = 0; part < PARTS; part++) {
      const [is, was] = [partOf(c, part), partOf(this.#fresh!, part)];
      for (const name of this.#others[part]!) {
        const value = is[name];
        if (value === was[name]) continue;
        if ((typeof value === 'object' && !KEPT_OBJECTS.has(name)) || typeof value === 'function') return false;
        others.push([part, name, value]);
      }
    }
    const { counters } = c;
    const mtuProbe = isPristine(c.mtuProbe) ? undefined : c.mtuProbe;
    const cc = c.cc.used === false ? undefined : c.cc;
    if (cc === undefined && counters === undefined && mtuProbe === undefined && others.length === 0) return undefined;
    return { cc, counters, mtuProbe, fields: others };
  }

  saveIdle(c: Connection): number {
    const row = save(c, this.idle, INTS, DOUBLES, FLAGS);
    const words = this.idle.ints(row);
    const at = this.idle.intsAt(row) + INTS.length + 1;
    words[at] = c.mtuProbe?.searchLow ?? 0;
    words[at + 1] = c.mtuProbe?.searchHigh ?? 0;
    return row;
  }

  /** Fills a fresh connection from a row. */
  restoreIdle(c: Connection, row: number, rare: Rarities | undefined): void {
    const at = this.idle.intsAt(row) + INTS.length + 1;
    const [low, high] = [this.idle.ints(row)[at]!, this.idle.ints(row)[at + 1]!];
    if (low > 0) c.mtuProbe = new MtuProbe(false, low, high);
    restore(c, this.idle, row, INTS, DOUBLES, FLAGS);
    c.state = ESTABLISHED;
    c.snd.start(c.sndNxt);
    c.rcv.start(c.rcvNxt);
    c.cc.start(c, c.tcp.nowUs);
    if (rare === undefined) return;
    c.counters = rare.counters;
    if (rare.mtuProbe !== undefined) c.mtuProbe = rare.mtuProbe;
    if (rare.cc !== undefined) c.cc = rare.cc;
    for (const [part, name, value] of rare.fields) partOf(c, part)[name] = value;
  }

  saveWait(c: Connection): number {
    return save(c, this.waits, WAIT_INTS, WAIT_DOUBLES, WAIT_FLAGS);
  }

  restoreWait(c: Connection, row: number): void {
    restore(c, this.waits, row, WAIT_INTS, WAIT_DOUBLES, WAIT_FLAGS);
    c.state = TIME_WAIT;
    c.sndUna = c.sndNxt;
    c.lastAckSent = c.rcvNxt;
    c.snd.start(c.sndNxt);
    c.rcv.start((c.rcvNxt - 1) | 0);
    c.finQueued = c.finSent = c.finReceived = true;
    c.orphaned = c.userClosed = c.writeShut = true;
  }

  #know(fresh: Connection): void {
    this.#fresh = fresh;
    const columns = [...INTS, ...DOUBLES, ...FLAGS];
    for (let part = 0; part < PARTS; part++) {
      const known = new Set(columns.filter(([of]) => of === part).map(([, name]) => name));
      this.#others[part] = Object.keys(partOf(fresh, part)).filter(
        (name) => !known.has(name) && !(part === 0 && APART.has(name)),
      );
    }
  }
}

/** Whether a search for the MTU has not begun: two numbers tell all. */
function isPristine(probe: MtuProbe | undefined): boolean {
  if (probe === undefined) return true;
  const fresh = new MtuProbe(false, probe.searchLow, probe.searchHigh);
  return (Object.keys(fresh) as (keyof MtuProbe)[]).every((name) => probe[name] === fresh[name]);
}

function save(
  c: Connection,
  rows: DormantRows,
  ints: readonly Field[],
  doubles: readonly Field[],
  flags: readonly Field[],
): number {
  const row = rows.take();
  const [words, times] = [rows.ints(row), rows.doubles(row)];
  let at = rows.intsAt(row);
  for (const [part, name] of ints) words[at++] = partOf(c, part)[name] as number;
  let bits = 0;
  for (let i = 0; i < flags.length; i++) {
    const [part, name] = flags[i]!;
    if (partOf(c, part)[name] === true) bits |= 1 << i;
  }
  words[at] = bits;
  at = rows.doublesAt(row);
  for (const [part, name] of doubles) times[at++] = partOf(c, part)[name] as number;
  return row;
}

function restore(
  c: Connection,
  rows: DormantRows,
  row: number,
  ints: readonly Field[],
  doubles: readonly Field[],
  flags: readonly Field[],
): void {
  const [words, times] = [rows.ints(row), rows.doubles(row)];
  let at = rows.intsAt(row);
  for (const [part, name] of ints) partOf(c, part)[name] = words[at++]!;
  const bits = words[at]!;
  for (let i = 0; i < flags.length; i++) {
    const [part, name] = flags[i]!;
    partOf(c, part)[name] = (bits & (1 << i)) !== 0;
  }
  at = rows.doublesAt(row);
  for (const [part, name] of doubles) partOf(c, part)[name] = times[at++]!;
}
