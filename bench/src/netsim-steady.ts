import type { CongestionName } from '@qanat/tcp';
import { BOTTLENECK_BITS_PER_SECOND, roundTripsUs, Scene } from './netsim-bottleneck.ts';
import { controlName, percent, row } from './netsim-flows.ts';
import { jainIndex } from './statistics.ts';

export interface SteadyOptions {
  readonly flows: number;
  readonly congestion: CongestionName;
  readonly pacing: boolean;
  readonly seed: number;
  readonly renoFriendly?: boolean;
  /** All have this round trip, in place of drawn ones. */
  readonly rttUs?: number;
  /** Virtual seconds that are not looked at, and that are. */
  readonly warmSeconds: number;
  readonly seconds: number;
}

export interface SteadyResult {
  readonly flows: number;
  readonly congestion: CongestionName;
  readonly pacing: boolean;
  readonly renoFriendly: boolean;
  readonly seed: number;
  /** Part of the time that the bottleneck sent. */
  readonly busy: number;
  /** Jain's index of what the flows' receivers took. */
  readonly jain: number;
  /** Part of the frames that the bottleneck's queue dropped. */
  readonly drops: number;
  /** Least and most of the goodputs, bytes/s. */
  readonly least: number;
  readonly most: number;
  readonly timeouts: number;
  /** Jain's index of rates in inverse proportion to the round trips: where equal windows lead (RFC 9438 section 3.3). */
  readonly equalWindowsJain: number;
}

/** The flows never end, and what is measured is the time after the start: all of them are there. */
export function steadyFlows(options: SteadyOptions): SteadyResult {
  const { flows, congestion, pacing, seed, renoFriendly = true, rttUs, warmSeconds, seconds } = options;
  const scene = new Scene({
    flows,
    congestion,
    pacing,
    seed,
    rttUs,
    renoFriendly,
    bytesPerFlow: Number.POSITIVE_INFINITY,
  });
  const { bottleneck, time } = scene;
  time.run(warmSeconds * 1e6);
  const before = scene.flows.map((flow) => flow.received);
  const { frames, bytes, drops } = bottleneck;
  time.run((warmSeconds + seconds) * 1e6);
  const goodputs = scene.flows.map((flow, i) => (flow.received - before[i]!) / seconds);
  const dropped = bottleneck.drops - drops;
  const timeouts = scene.flows.reduce((sum, flow) => sum + (flow.sender.counters().TCPTimeouts ?? 0), 0);
  const result = {
    flows,
    congestion,
    pacing,
    renoFriendly,
    seed,
    busy: ((bottleneck.bytes - bytes) * 8) / BOTTLENECK_BITS_PER_SECOND / seconds,
    jain: jainIndex(goodputs),
    drops: dropped / (dropped + bottleneck.frames - frames),
    least: Math.min(...goodputs),
    most: Math.max(...goodputs),
    timeouts,
    equalWindowsJain: jainIndex(roundTripsUs(flows, seed).map((us) => 1 / us)),
  };
  scene.close();
  return result;
}

/** The table of all runs. */
export function steadyTable(results: readonly SteadyResult[], warmSeconds: number, seconds: number): string[] {
  const lines = [
    '',
    `the same bottleneck, flows without end: ${seconds} s after the first ${warmSeconds} s; goodputs in Mbit/s`,
    row(['cc', 'flows', 'busy', 'Jain', '1/RTT', 'drops', 'least', 'most', 'timeouts']),
  ];
  for (const r of results) {
    const jain = [r.jain.toFixed(4), r.equalWindowsJain.toFixed(4)];
    const goodputs = [r.least, r.most].map((goodput) => ((goodput * 8) / 1e6).toFixed(2));
    lines.push(
      row([
        controlName(r),
        `${r.flows}`,
        percent(r.busy, 1),
        ...jain,
        percent(r.drops, 2),
        ...goodputs,
        `${r.timeouts}`,
      ]),
    );
  }
  lines.push(
    "1/RTT: Jain's index of rates in inverse proportion to the round trips, where equal windows lead (RFC 9438 section 3.3);",
    '-r: CUBIC without its Reno-friendly region',
  );
  return lines;
}
