import { seededRandom } from '@qanat/clock';
import type { ImpairmentOptions } from '@qanat/link';
import { CONGESTION_NAMES, type TcpConfig } from '@qanat/tcp';
import { Draw } from './draw.ts';
import type { Disturbance, EndSpec, FlowSpec, Scenario, Way } from './scenario.ts';

const MS = 1000;
const SECOND = 1_000_000;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The scenario of a seed. */
export function generate(seed: number): Scenario {
  const draw = new Draw(seededRandom(seed));
  const mtu = draw.chance(0.7) ? 1500 : draw.pick([576, 1280, 296, 4000, 9000, 1492]);
  const delayUs = draw.chance(0.15) ? 0 : draw.log(50, 300 * MS);
  const forth = link(draw, delayUs);
  const back = draw.chance(0.8) ? forth : link(draw, delayUs);
  // Most flows last as long as a few round trips, so the weather changes at that pace.
  const spanUs = Math.max(20 * MS, draw.log(10 * MS, 20 * SECOND), draw.int(0, 20) * delayUs);
  const disturbances: Disturbance[] = [];
  const count = draw.chance(0.1) ? 0 : draw.int(1, 5);
  for (let i = 0; i < count; i++) disturbances.push(disturbance(draw, spanUs));
  const flows: FlowSpec[] = [];
  const flowCount = draw.chance(0.6) ? 1 : draw.int(2, 4);
  const limits = [forth, back, ...disturbances.map(({ impair }) => impair)];
  const limited = limits.some(({ rateBitsPerSecond }) => rateBitsPerSecond !== undefined);
  for (let i = 0; i < flowCount; i++) flows.push(flow(draw, spanUs, flowCount, limited));
  const scenario: Mutable<Scenario> = { seed, mtu, forth, back, disturbances, flows };
  if (draw.chance(0.35)) scenario.offload = draw.pick(['checksum', 'gso', 'gso']);
  if (draw.chance(0.25)) scenario.ringFrames = draw.log(1, 64);
  return scenario;
}

function link(draw: Draw, delayUs: number): ImpairmentOptions {
  const options: Mutable<ImpairmentOptions> = { delayUs };
  if (draw.chance(0.5)) {
    options.rateBitsPerSecond = draw.log(64_000, 1_000_000_000);
    options.queuePackets = queue(draw, options.rateBitsPerSecond);
    if (draw.chance(0.3)) options.queueBytes = draw.log(12_000, 1_000_000);
  }
  return options;
}

function disturbance(draw: Draw, spanUs: number): Disturbance {
  const fromUs = draw.chance(0.4) ? 0 : draw.int(0, spanUs);
  const untilUs = fromUs + draw.int(1, spanUs);
  const way: Way = draw.chance(0.6) ? 'both' : draw.pick(['forth', 'back']);
  return { fromUs, untilUs, way, impair: trouble(draw) };
}

function trouble(draw: Draw): ImpairmentOptions {
  switch (draw.int(0, 9)) {
    case 0:
    case 1:
      return { lossRate: draw.rate(0.001, 0.5) };
    case 2:
      return {
        burst: { goodToBad: draw.rate(0.001, 0.1), badToGood: draw.rate(0.05, 0.9), lossBad: draw.pick([0.5, 1]) },
      };
    case 3:
      return { reorderRate: draw.rate(0.01, 0.6), reorderUs: draw.log(100, 200 * MS) };
    case 4:
      return { duplicateRate: draw.rate(0.01, 0.9) };
    case 5:
      return { corruptRate: draw.rate(0.01, 0.4) };
    case 6:
      return { jitterUs: draw.log(100, 300 * MS) };
    case 7:
      return { delayUs: draw.log(20 * MS, 5 * SECOND) };
    case 8:
      return { down: true };
    default:
      return slower(draw);
  }
}

function slower(draw: Draw): ImpairmentOptions {
  const rateBitsPerSecond = draw.log(32_000, 100_000_000);
  return { rateBitsPerSecond, queuePackets: queue(draw, rateBitsPerSecond) };
}

/** Frames in a queue that takes no longer than a second to drain, so that a full one does not look like a dead link. */
function queue(draw: Draw, rateBitsPerSecond: number): number {
  return draw.log(2, Math.max(4, Math.min(1000, Math.floor(rateBitsPerSecond / 8 / 1500))));
}

/** @param limited whether the link has a rate, at times. */
function flow(draw: Draw, spanUs: number, count: number, limited: boolean): FlowSpec {
  const startUs = count === 1 || draw.chance(0.5) ? 0 : draw.int(0, spanUs);
  const oneWay = draw.chance(0.5);
  const first = tcpOptions(draw, limited);
  const second = draw.chance(0.3) ? tcpOptions(draw, limited) : { ...first, ...buffers(draw) };
  const window = Math.min(first.sndBuf!, second.rcvBuf!);
  const back_ = Math.min(second.sndBuf!, first.rcvBuf!);
  const meetUs = startUs + draw.int(0, spanUs);
  let a = end(draw, first, window, spanUs, meetUs);
  let b = end(draw, second, back_, spanUs, meetUs);
  if (oneWay) {
    if (draw.chance(0.7)) b = { ...b, bytes: 0 };
    else a = { ...a, bytes: 0 };
  }
  if (a.finish === 'afterPeer' && b.finish === 'afterPeer') a = { ...a, finish: 'shutdown' };
  if (draw.chance(0.15)) [a, b] = fastOpen(draw, a, b);
  else if (draw.chance(0.05)) b = { ...b, tcp: { ...b.tcp, deferAccept: draw.int(1, 3) } };
  const spec: Mutable<FlowSpec> = { startUs, from: draw.pick(['a', 'b']), ends: [a, b] };
  if (draw.chance(0.05)) spec.simultaneous = true;
  return spec;
}

/** Data with the SYN: by a cookie that an earlier flow brought, or without one; one side may not play along. */
function fastOpen(draw: Draw, a: EndSpec, b: EndSpec): [EndSpec, EndSpec] {
  const cookieless = draw.chance(0.6);
  const client = { fastOpenClient: true, fastOpenClientNoCookie: cookieless && draw.chance(0.9) };
  const server = { fastOpenServer: draw.chance(0.9), fastOpenServerNoCookie: cookieless && draw.chance(0.8) };
  const bytes = Math.min(draw.log(1, 4000), a.bytes, a.tcp.sndBuf!);
  return [
    { ...a, fastOpenBytes: bytes, tcp: { ...a.tcp, ...client } },
    { ...b, tcp: { ...b.tcp, ...server } },
  ];
}

function buffers(draw: Draw): Pick<Partial<TcpConfig>, 'sndBuf' | 'rcvBuf' | 'autoTune'> {
  const size = () => (draw.chance(0.4) ? 1 << 20 : draw.log(64, 1 << 20));
  const sizes = { sndBuf: size(), rcvBuf: size() };
  return draw.chance(0.2) ? { ...sizes, autoTune: true } : sizes;
}

function tcpOptions(draw: Draw, rateLimited: boolean): Mutable<Partial<TcpConfig>> {
  const tcp: Mutable<Partial<TcpConfig>> = buffers(draw);
  if (draw.chance(0.3)) tcp.sack = false;
  if (draw.chance(0.3)) tcp.timestamps = false;
  if (draw.chance(0.2)) tcp.windowScaling = false;
  if (draw.chance(0.4)) {
    // Without congestion control a bottleneck is a place of ruin, not a test.
    tcp.congestion = draw.pick(CONGESTION_NAMES.filter((name) => name !== 'none' || !rateLimited));
  }
  if (draw.chance(0.15)) tcp.pacing = true;
  if (draw.chance(0.05)) tcp.maxPacingBytesPerSecond = draw.log(5_000, 10_000_000);
  if (draw.chance(0.05)) tcp.pathMtuDiscovery = false;
  if (draw.chance(0.2)) tcp.mss = draw.log(48, 1460);
  if (draw.chance(0.3)) tcp.noDelay = true;
  if (draw.chance(0.2)) tcp.delayedAckUs = draw.pick([0, 1 * MS, 200 * MS, 499 * MS]);
  if (draw.chance(0.2)) tcp.quickAcks = draw.pick([0, 1, 100]);
  if (draw.chance(0.2)) tcp.initialCwnd = draw.pick([1, 2, 4, 40]);
  if (draw.chance(0.1)) tcp.minRtoUs = draw.pick([10 * MS, 1 * SECOND]);
  if (draw.chance(0.05)) tcp.dupThresh = draw.int(1, 10);
  if (draw.chance(0.1)) tcp.slowStartAfterIdle = false;
  for (const key of ['rack', 'lossProbe', 'frto', 'dsack'] as const) if (draw.chance(0.1)) tcp[key] = false;
  if (draw.chance(0.2)) tcp.ecn = draw.pick(['off', 'on']);
  if (draw.chance(0.1)) tcp.accurateEcn = true;
  if (draw.chance(0.2)) tcp.mtuProbing = draw.pick(['off', 'always']);
  if (draw.chance(0.05)) tcp.cork = true;
  if (draw.chance(0.05)) tcp.notsentLowat = draw.log(1, 100_000);
  if (draw.chance(0.1)) tcp.timeWaitUs = draw.pick([1 * MS, 1 * SECOND, 240 * SECOND]);
  if (draw.chance(0.1)) {
    tcp.keepAlive = true;
    tcp.keepAliveIdleUs = draw.pick([1, 10, 100]) * SECOND;
    tcp.keepAliveIntervalUs = draw.pick([1, 10]) * SECOND;
  }
  if (draw.chance(0.03)) tcp.userTimeoutUs = draw.pick([1, 10, 60]) * SECOND;
  if (draw.chance(0.03)) tcp.retries2 = draw.int(1, 6);
  return tcp;
}

function end(draw: Draw, tcp: Partial<TcpConfig>, window: number, spanUs: number, meetUs: number): EndSpec {
  // Small windows make many segments of few bytes: less is as good.
  const most = Math.min(draw.chance(0.1) ? 2_000_000 : 200_000, 500 * Math.min(window, 1460, tcp.mss ?? 1460));
  const spec: Mutable<EndSpec> = { tcp, bytes: draw.chance(0.1) ? 0 : draw.log(1, most) };
  if (draw.chance(0.2)) spec.early = true;
  if (draw.chance(0.4)) {
    spec.writeBytes = Math.max(draw.log(1, 65536), Math.ceil(spec.bytes / 1000));
    if (draw.chance(0.5)) {
      spec.burst = draw.log(1, 20);
      // The whole shall not take longer than some ten spans.
      const writes = Math.ceil(spec.bytes / spec.writeBytes / spec.burst);
      spec.writePauseUs = draw.log(1, Math.max(2, Math.ceil((10 * spanUs) / Math.max(1, writes))));
    }
  }
  if (draw.chance(0.3)) {
    spec.readBytes = Math.max(draw.log(1, 65536), 50);
    if (draw.chance(0.6)) spec.readPauseUs = draw.log(1, 200 * MS);
  }
  if (draw.chance(0.1)) spec.readAfterUs = draw.int(1, 2 * spanUs);
  if (draw.chance(0.2)) spec.peek = true;
  if (draw.chance(0.1)) spec.logRecords = draw.log(1, 4096);
  if (draw.chance(0.5)) {
    spec.finish = draw.pick(['shutdown', 'shutdown', 'afterPeer', 'afterPeer', 'close', 'meet', 'abort']);
    if (spec.finish === 'meet') spec.finishUs = meetUs;
    if (spec.finish === 'abort') spec.finishUs = draw.int(0, 2 * spanUs);
  }
  return spec;
}
