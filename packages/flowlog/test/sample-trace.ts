import {
  type EventTable,
  EventTableBuilder,
  type FlowTrace,
  flowDescriptor,
  flowTrace,
  MachineTableBuilder,
  SackTableBuilder,
  SegmentTableBuilder,
  segmentInfo,
  sourceTrace,
  type Trace,
  WindowTableBuilder,
  windowInfo,
} from '../src/index.ts';
import { seededRandom } from './seeded-random.ts';

/** A trace of two sources and two flows with rows of every table, different for every seed. */
export function sampleTrace(seed: number, segments = 100): Trace {
  const random = seededRandom(seed);
  const machine = new MachineTableBuilder();
  for (let i = 0; i < segments / 2; i++)
    machine.push(i * 1.25, i, random(9) + 1, random(100) - 1, random(9), -random(9));
  return {
    clock: { unixEpochUs: 1_700_000_000_000_000, resolutionUs: 0.001 },
    sources: [
      sourceTrace({ id: 1, name: 'client', kind: 'domain' }, { machine: machine.finish(), strings: ['ä fault'] }),
      sourceTrace({ id: 2, name: 'Dom0', kind: 'dom0' }, { overwritten: 5 }),
    ],
    flows: [sampleFlow(7, random, segments), sampleFlow(8, random, segments >> 1)],
    problems: [],
  };
}

function sampleFlow(id: number, random: (below: number) => number, rows: number): FlowTrace {
  const segments = new SegmentTableBuilder();
  const sacks = new SackTableBuilder();
  const firstSegment = 1000;
  for (let i = 0; i < rows; i++) {
    const blocks = random(4) === 0 ? random(4) + 1 : 0;
    for (let block = 0; block < blocks; block++) sacks.push(firstSegment + i, -random(1e6), random(1e6));
    const info = segmentInfo(random(2) === 0, random(256), random(8), blocks > 0, blocks);
    segments.push(
      i * 2.5,
      i,
      -random(2 ** 31),
      random(2 ** 31),
      random(65_536),
      random(65_536),
      i,
      -i,
      random(99),
      info,
    );
  }
  const windows = new WindowTableBuilder();
  for (let i = 0; i < rows / 3; i++) {
    windows.push({
      timeUs: i * 7.5,
      order: 2 ** 32 - 10 + i,
      sndNxt: i,
      segAck: -i,
      sndUna: random(2 ** 31),
      rcvNxt: -random(2 ** 31),
      recoveryPoint: i,
      sndWnd: random(2 ** 31),
      rcvWnd: 65_535,
      cwnd: 14_480,
      ssthresh: 2 ** 31 - 1,
      pipe: random(14_480),
      srttUs: 100,
      rttvarUs: 50,
      rtoUs: 200_000,
      minRttUs: 10,
      pacingRate: random(2 ** 31) * 1.5,
      info: windowInfo(random(10), random(2) === 1, random(5), random(7), 3),
    });
  }
  const descriptor = flowDescriptor({
    id,
    source: 1,
    localAddress: 0x0a00_0002,
    localPort: 32_768 + id,
    remoteAddress: 0xc0a8_0003,
    remotePort: 5001,
    active: true,
    iss: -5,
    irs: 17,
    sndShift: 7,
    rcvShift: 8,
    mss: 1448,
    congestion: 'cubic',
    startUs: 12.5,
  });
  return flowTrace(descriptor, {
    segments: segments.finish(),
    sacks: sacks.finish(),
    windows: windows.finish(),
    events: sampleEvents(random, rows >> 2),
    firstSegment,
    overwritten: { segments: firstSegment, sacks: 3, windows: 4, events: 5 },
  });
}

function sampleEvents(random: (below: number) => number, rows: number): EventTable {
  const events = new EventTableBuilder();
  for (let i = 0; i < rows; i++) events.push(i * 9.75, i, random(14) + 1, random(99) - 50, -i);
  return events.finish();
}
