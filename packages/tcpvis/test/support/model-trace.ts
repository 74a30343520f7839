/** A bulk transfer by a small model of TCP, as a trace: losses, fast retransmission, SACK, one timeout, a sleepy machine. */
import {
  EVENT_CONGESTION,
  EVENT_TIMER_FIRED,
  type EventTable,
  EventTableBuilder,
  flowDescriptor,
  flowTrace,
  LIMITED_APPLICATION,
  LIMITED_CWND,
  LIMITED_RWND,
  MACHINE_DROP,
  MACHINE_QUEUE,
  MACHINE_RING_PUSH,
  MACHINE_RING_REAP,
  MACHINE_SLEEP,
  MACHINE_WAKE,
  MachineTableBuilder,
  REASON_FAST,
  REASON_RTO,
  SackTableBuilder,
  SegmentTableBuilder,
  segmentInfo,
  sourceTrace,
  type Trace,
  WindowTableBuilder,
  windowInfo,
} from '@qanat/flowlog';

const ACK = 0x10;
const SYN = 0x02;
const MSS = 1448;
const SHIFT = 7;

export interface ModelOptions {
  /** Data segments. */
  readonly segments: number;
  /** Rows of all tables together, about, where fewer segments make as many: a round is finished. */
  readonly rows?: number;
  readonly seed?: number;
  readonly rttUs?: number;
  /** Share of segments lost. */
  readonly loss?: number;
  readonly iss?: number;
  readonly irs?: number;
}

/** Rounds of a window each: what is lost in one is sent again in the next. */
export function modelTrace(options: ModelOptions): Trace {
  const {
    segments,
    rows = Number.POSITIVE_INFINITY,
    seed = 1,
    rttUs = 20_000,
    loss = 0.002,
    iss = 0x7fff_0000,
    irs = 1_000_000,
  } = options;
  let random = seed >>> 0 || 1;
  const chance = (): number => {
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    return (random >>> 0) / 2 ** 32;
  };
  const tx = new SegmentTableBuilder(segments * 2);
  const sacks = new SackTableBuilder();
  const windows = new WindowTableBuilder(segments);
  const events = new EventTableBuilder();
  const machine = new MachineTableBuilder(segments);
  let order = 0;
  let now = 1000;
  let cwnd = 10 * MSS;
  let ssthresh = 2 ** 31 - 1;
  let una = 1;
  let nxt = 1;
  let lastMinute = 0;
  const rwnd = 2 * 1024 * 1024;
  const seqOf = (position: number): number => (iss + position) | 0;
  const sent = (position: number, reason: number, delay: number, flags = ACK, bytes = MSS): void => {
    tx.push(
      now,
      order++,
      seqOf(position),
      irs + 1,
      bytes,
      0xffff,
      0,
      0,
      delay,
      segmentInfo(false, flags, reason, false, 0),
    );
  };
  const acked = (position: number, blocks: readonly (readonly [number, number])[], flags = ACK): void => {
    const free = Math.min(0xffff, (rwnd - Math.floor(chance() * 200_000)) >>> SHIFT);
    const row = tx.push(
      now,
      order++,
      irs + 1,
      seqOf(position),
      0,
      free,
      0,
      0,
      3 + Math.floor(chance() * 20),
      segmentInfo(true, flags, 0, false, blocks.length),
    );
    for (const [left, right] of blocks) sacks.push(row, seqOf(left), seqOf(right));
  };
  const window = (state: number, limited: number, srtt: number): void => {
    windows.push({
      timeUs: now,
      order: order++,
      sndNxt: seqOf(nxt),
      segAck: seqOf(una),
      sndUna: seqOf(una),
      rcvNxt: irs + 1,
      recoveryPoint: 0,
      sndWnd: rwnd - Math.floor(chance() * 100_000),
      rcvWnd: 1 << 20,
      cwnd,
      ssthresh,
      pipe: nxt - una,
      srttUs: srtt,
      rttvarUs: srtt / 8,
      rtoUs: Math.max(200_000, srtt * 2),
      minRttUs: rttUs,
      pacingRate: 0,
      info: windowInfo(0, state === 3, state, limited, 3),
    });
  };
  sent(0, 0, 2, SYN, 0);
  now += rttUs;
  tx.push(now, order++, irs, seqOf(1), 0, 0xffff, 0, 0, 5, segmentInfo(true, SYN | ACK, 0, false, 0));
  let count = 0;
  const isMore = (): boolean =>
    count < segments && tx.rows + sacks.rows + windows.rows + events.rows + machine.rows < rows;
  while (isMore()) {
    const roundStart = now;
    const burst = Math.max(1, Math.floor(cwnd / MSS));
    const lost: number[] = [];
    const srtt = rttUs + Math.floor(burst * 8 + chance() * 800);
    const gap = Math.max(1, Math.min(40, srtt / (burst + 1)));
    const first = nxt;
    for (let i = 0; i < burst && isMore(); i++, count++) {
      sent(nxt, 0, 2 + Math.floor(chance() * 6) + (chance() < 0.01 ? 400 : 0));
      if (chance() < loss) lost.push(nxt);
      nxt += MSS;
      now += gap;
      machine.push(now, order++, MACHINE_RING_PUSH, 0, Math.min(256, (i % 200) + 4), 0x100);
      if (i % 16 === 15) machine.push(now, order++, MACHINE_RING_REAP, 0, i % 16, 0x100);
      if (i % 32 === 31) machine.push(now, order++, MACHINE_QUEUE, 0x100, Math.floor(burst / 4 + chance() * 30), 1000);
    }
    machine.push(now, order++, MACHINE_SLEEP, 40_000, 0, 0);
    now = Math.max(now + 1, roundStart + srtt);
    machine.push(now, order++, MACHINE_WAKE, chance() < 0.9 ? 3 : -1, 0, 0);
    let hole = lost.length > 0 ? lost[0]! : -1;
    for (let position = first + 2 * MSS; position <= nxt + MSS; position += 2 * MSS) {
      const end = Math.min(position, nxt);
      if (hole >= 0 && end > hole) acked(hole, end > hole + MSS ? [[hole + MSS, end]] : []);
      else {
        una = end;
        acked(end, []);
      }
      now += 2 * gap;
      if (end % (8 * MSS) < 2 * MSS) window(hole >= 0 ? 3 : 0, cwnd >= rwnd ? LIMITED_RWND : LIMITED_CWND, srtt);
      if (end === nxt) break;
    }
    if (hole >= 0) {
      una = Math.min(hole, nxt);
      machine.push(now, order++, MACHINE_DROP, 0x100, 1, 0);
      events.push(now, order++, EVENT_CONGESTION, 0, 3);
      cwnd = Math.max(2 * MSS, Math.floor(cwnd * 0.7));
      ssthresh = cwnd;
      const timeout = chance() < 0.1;
      if (timeout) {
        now += 210_000;
        events.push(now, order++, EVENT_TIMER_FIRED, 0, 0);
        cwnd = 2 * MSS;
      }
      window(timeout ? 4 : 3, LIMITED_CWND, srtt);
      for (const position of lost) {
        sent(position, timeout ? REASON_RTO : REASON_FAST, 4);
        now += 30;
      }
      now += rttUs;
      hole = -1;
      una = nxt;
      acked(nxt, []);
      events.push(now, order++, EVENT_CONGESTION, 3, 0);
    } else {
      una = nxt;
      if (cwnd < ssthresh) cwnd *= 2;
      else cwnd += MSS;
      cwnd = Math.min(cwnd, rwnd);
    }
    window(0, LIMITED_CWND, srtt);
    if (now - lastMinute > 3_000_000) {
      lastMinute = now;
      window(0, LIMITED_APPLICATION, srtt);
      now += 300_000;
      window(0, LIMITED_CWND, srtt);
    }
  }
  const descriptor = flowDescriptor({
    id: 1,
    source: 1,
    localAddress: 0xc0a8_0866,
    localPort: 49_152,
    remoteAddress: 0xc0a8_0865,
    remotePort: 5001,
    active: true,
    iss,
    irs,
    sndShift: SHIFT,
    rcvShift: SHIFT,
    mss: MSS,
    congestion: 'cubic',
  });
  const table: EventTable = events.finish();
  return {
    sources: [sourceTrace({ id: 1, name: 'client', kind: 'domain' }, { machine: machine.finish() })],
    flows: [
      flowTrace(descriptor, { segments: tx.finish(), sacks: sacks.finish(), windows: windows.finish(), events: table }),
    ],
    clock: { unixEpochUs: undefined, resolutionUs: 1 },
    problems: [],
  };
}
