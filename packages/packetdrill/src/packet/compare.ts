import { type IcmpBody, type PacketAction, TCP_FLAG, type TcpBody, type TcpOption } from '../ast.ts';
import type { LivePacket, LiveTcp } from './decode.ts';
import { describeFlags, describeOption } from './describe.ts';
import type { ConnectionMap } from './mapping.ts';

/** `linux`: PSH must be as written. `lenient`: PSH on segments with data is not looked at. */
export type PshPolicy = 'linux' | 'lenient';

export interface CompareOptions {
  readonly psh: PshPolicy;
  /** Microseconds in a tick of the stack's timestamps (--tcp_ts_tick_usecs); 0: TSval is not compared. */
  readonly timestampTickUs: number;
  /** Time since the first event, for the tolerance of timestamps. */
  readonly elapsedUs: number;
  readonly toleranceUs: number;
}

export interface Comparison {
  /** What does not agree, one `field: expected, got` each. */
  readonly mismatches: readonly string[];
  /** What is odd but no reason to fail: TSecr, DF. */
  readonly warnings: readonly string[];
  /** Whether PSH differs, and was let pass. */
  readonly pshDiffers: boolean;
}

/** Relation between a live packet (an aggregate of segments, `options` of the last) and the line that expects it. */
export function comparePacket(
  action: PacketAction,
  live: LivePacket,
  map: ConnectionMap,
  options: CompareOptions,
): Comparison {
  const mismatches: string[] = [];
  const warnings: string[] = [];
  const check = (field: string, expected: number | string, got: number | string): void => {
    if (expected !== got) mismatches.push(`${field}: expected ${expected}, got ${got}`);
  };
  compareIp(action, live, check);
  const { body } = action;
  let pshDiffers = false;
  if (body.kind === 'tcp' && live.tcp) {
    pshDiffers = compareTcp(body, live.tcp, map, options, check, warnings);
    if (!live.ip.dontFragment) warnings.push('the packet has no DF bit');
  } else if (body.kind === 'udp' && live.udp) {
    check('UDP payload length', body.payloadBytes, live.udp.payloadBytes);
    if (!live.udp.checksumOk) mismatches.push('the UDP checksum is wrong');
  } else if (body.kind === 'icmp' && live.icmp) {
    compareIcmp(body, live, map, check);
    if (!live.icmp.checksumOk) mismatches.push('the ICMP checksum is wrong');
  } else {
    check('protocol', body.kind, live.tcp ? 'tcp' : live.udp ? 'udp' : live.icmp ? 'icmp' : `${live.ip.protocol}`);
  }
  return { mismatches, warnings, pshDiffers };
}

type Check = (field: string, expected: number | string, got: number | string) => void;

function compareIp(action: PacketAction, live: LivePacket, check: Check): void {
  const { ip } = live;
  check('IP header length', 20, ip.headerBytes);
  check('IP total length', live.bytes.length, ip.totalLength);
  check('IP header checksum', 'good', ip.checksumOk ? 'good' : 'bad');
  const { ecn, tos, ttl } = action.ip;
  if (tos !== undefined) check('TOS', `0x${tos.toString(16)}`, `0x${ip.tos.toString(16)}`);
  if (ttl !== undefined) check('TTL', ttl, ip.ttl);
  if (ecn === 'ect01')
    check('ECN', 'ect0 or ect1', ip.tos % 4 === 1 || ip.tos % 4 === 2 ? 'ect0 or ect1' : `${ip.tos & 3}`);
  else if (ecn !== undefined) check('ECN', ecn, ['noecn', 'ect1', 'ect0', 'ce'][ip.tos & 3]!);
}

function compareTcp(
  body: TcpBody,
  live: LiveTcp,
  map: ConnectionMap,
  options: CompareOptions,
  check: Check,
  warnings: string[],
): boolean {
  const syn = (live.flags & TCP_FLAG.SYN) !== 0;
  const lenient = options.psh === 'lenient' && live.payloadBytes > 0;
  const ignored = lenient ? TCP_FLAG.PSH : 0;
  if ((body.flags & ~ignored) !== (live.flags & ~ignored)) {
    check(
      'flags',
      describeFlags(body.flags),
      describeFlags(live.flags) + (live.flags >> 9 ? ' and reserved bits' : ''),
    );
  }
  check('seq', body.seq, map.outboundSeq(live.seq, syn));
  check('payload length', body.payloadBytes, live.payloadBytes);
  // Without the flag the field is zero on both sides, as a reset in answer to an acknowledgment has it.
  const ack = live.flags & TCP_FLAG.ACK ? map.outboundAck(live.ack, syn) : live.ack;
  check('ack', body.ack ?? 0, ack);
  if (body.window !== undefined) check('win', body.window, live.window);
  check('urgent pointer', body.urgent ?? 0, live.urgent);
  check('TCP checksum', 'good', live.checksumOk ? 'good' : 'bad');
  check('payload', 'all zero', live.payloadZero ? 'all zero' : 'other bytes');
  if (body.options !== 'any') compareOptions(body.options, live, map, options, check, warnings);
  return ((body.flags ^ live.flags) & TCP_FLAG.PSH) !== 0;
}

function compareOptions(
  expected: readonly TcpOption[],
  live: LiveTcp,
  map: ConnectionMap,
  options: CompareOptions,
  check: Check,
  warnings: string[],
): void {
  const syn = (live.flags & TCP_FLAG.SYN) !== 0;
  const got = live.options.map((option) => map.outboundOption(option, syn));
  const text = (list: readonly (TcpOption | undefined)[]): string =>
    `<${list.map((option, i) => (option ? comparable(option) : `kind ${live.options[i]?.kind}`)).join(',')}>`;
  if (text(expected) !== text(got)) {
    const shown = got.map((option, i) => (option ? describeOption(option) : `kind ${live.options[i]?.kind}`));
    check('TCP options', `<${expected.map(describeOption).join(',')}>`, `<${shown.join(',')}>`);
    return;
  }
  for (const [i, want] of expected.entries()) {
    const have = got[i];
    if (want.kind === 'TS' && have?.kind === 'TS') compareTimestamps(want, have, map, options, check, warnings);
  }
}

/** An option without what is compared by other rules: timestamps have tolerances. */
function comparable(option: TcpOption): string {
  return option.kind === 'TS' ? 'TS' : describeOption(option);
}

function compareTimestamps(
  want: Extract<TcpOption, { kind: 'TS' }>,
  have: Extract<TcpOption, { kind: 'TS' }>,
  map: ConnectionMap,
  options: CompareOptions,
  check: Check,
  warnings: string[],
): void {
  if (want.ecr !== have.ecr) warnings.push(`TSecr: expected ${want.ecr}, got ${have.ecr}`);
  if (options.timestampTickUs === 0 || !map.timestamps.known) return;
  const difference = Math.abs((want.val - have.val) | 0) * options.timestampTickUs;
  const tolerance = Math.max(options.toleranceUs, options.elapsedUs / 8);
  if (difference > tolerance) check('TSval', want.val, have.val);
}

function compareIcmp(body: IcmpBody, live: LivePacket, map: ConnectionMap, check: Check): void {
  const { icmp } = live;
  if (!icmp) return;
  check('ICMP type', body.type, icmp.type);
  check('ICMP code', body.code, icmp.code);
  if (body.mtu !== undefined) check('ICMP mtu', body.mtu, icmp.mtu);
  if (body.id !== undefined) check('ICMP id', body.id, icmp.id);
  const { quoted } = body;
  if (!quoted) return;
  if (quoted.kind === 'tcp') {
    // What is quoted came from the remote side: its numbers map as inbound ones do.
    check('quoted seq', map.inboundSeq(quoted.seq, false), icmp.quoted?.tcp?.seq ?? 'no TCP');
  } else if (quoted.kind === 'raw') {
    check('ICMP payload length', quoted.payloadBytes, icmp.payloadBytes);
  } else {
    check('quoted UDP length', quoted.payloadBytes, icmp.quoted?.udp?.payloadBytes ?? 'no UDP');
  }
}
