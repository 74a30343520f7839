import { PAGE_SIZE } from '@qanat/bytes';
import { DEFAULT_TCP_CONFIG } from '@qanat/tcp';
import type { EndSpec, FlowSpec, Scenario } from './scenario.ts';

/** Frames that a flow may need whatever it carries: handshakes, ARP, closing, and all of them again. */
const FRAMES_PER_FLOW = 150;
/** Frames for each segment that an ideal sender would send: its acknowledgment, and losses and timeouts on a bad link. */
const FRAMES_PER_SEGMENT = 6;
/** Frames per second and flow without data: timeouts, probes, keepalives, ARP. */
const FRAMES_PER_SECOND = 6;
const HEADERS_BYTES = 52;
/** Packets that ARP keeps for a host that it asks for; their pages stay with it. */
const ARP_PENDING = 64;

/** Frames that a run of so long may take: more is a storm. */
export function frameBound(scenario: Scenario, us: number): number {
  let frames = 0;
  for (const flow of scenario.flows) {
    const [opener, other] = flow.ends;
    const segments = idealSegments(scenario, opener, other) + idealSegments(scenario, other, opener);
    frames += FRAMES_PER_FLOW + FRAMES_PER_SEGMENT * segments + FRAMES_PER_SECOND * (us / 1e6);
  }
  return frames;
}

/** Data segments and window updates on a perfect link: bytes over the segment size, writes, and reads. */
function idealSegments(scenario: Scenario, from: EndSpec, to: EndSpec): number {
  const { sndBuf, rcvBuf } = DEFAULT_TCP_CONFIG;
  const window = Math.min(from.tcp.sndBuf ?? sndBuf, to.tcp.rcvBuf ?? rcvBuf);
  const mss = Math.min(scenario.mtu - HEADERS_BYTES, from.tcp.mss || 1e9, to.tcp.mss || 1e9);
  // Silly-window avoidance on both sides still lets half a small window go.
  const segment = Math.max(1, Math.min(mss, window >>> 2));
  const writes = from.bytes / Math.min(from.writeBytes ?? 1e9, segment);
  return Math.ceil(writes);
}

/** Pages that the connections of a host may hold at most. */
export function pageBound(scenario: Scenario, host: 'a' | 'b'): number {
  let pages = Math.ceil((ARP_PENDING * ringBytes(scenario.mtu)) / PAGE_SIZE);
  for (const flow of scenario.flows) pages += flowPages(flow, host);
  return pages;
}

function flowPages(flow: FlowSpec, host: 'a' | 'b'): number {
  const { tcp } = flow.ends[flow.from === host ? 0 : 1];
  const { sndBuf, rcvBuf } = DEFAULT_TCP_CONFIG;
  return (ringBytes(tcp.sndBuf ?? sndBuf) + ringBytes(tcp.rcvBuf ?? rcvBuf)) / PAGE_SIZE;
}

/** A ring is a power of two of pages. */
function ringBytes(bytes: number): number {
  let ring = PAGE_SIZE;
  while (ring < bytes) ring *= 2;
  return ring;
}
