import { type IcmpBody, type PacketAction, TCP_FLAG, type TcpOption } from '../ast.ts';
import type { LivePacket } from './decode.ts';
import type { ConnectionMap } from './mapping.ts';

const LETTERS: readonly (readonly [string, number])[] = [
  ['F', TCP_FLAG.FIN],
  ['S', TCP_FLAG.SYN],
  ['R', TCP_FLAG.RST],
  ['P', TCP_FLAG.PSH],
  ['U', TCP_FLAG.URG],
  ['E', TCP_FLAG.ECE],
  ['W', TCP_FLAG.CWR],
  ['A', TCP_FLAG.AE],
  ['.', TCP_FLAG.ACK],
];
const ECN_NAMES = ['noecn', 'ect1', 'ect0', 'ce'];

export function describeFlags(flags: number): string {
  const text = LETTERS.filter(([, bit]) => flags & bit).map(([letter]) => letter);
  return text.join('') || '-';
}

export function describeOption(option: TcpOption): string {
  const hex = (bytes: readonly number[]) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  switch (option.kind) {
    case 'mss':
    case 'wscale':
      return `${option.kind} ${option.value}`;
    case 'sack':
      return ['sack', ...option.blocks.map((block) => `${block.left}:${block.right}`)].join(' ');
    case 'TS':
      return `TS val ${option.val} ecr ${option.ecr}`;
    case 'FO':
    case 'FOEXP':
      return `${option.kind} ${hex(option.cookie)}`.trim();
    case 'md5':
      return `md5 ${hex(option.digest)}`;
    case 'ECN':
      return ['ECN', ...option.counters.map((counter) => `${counter.name} ${counter.value}`)].join(' ');
    default:
      return option.kind;
  }
}

/** A live packet in the script's notation and numbers. */
export function describeLive(packet: LivePacket, map: ConnectionMap): string {
  const { ip, tcp, udp, icmp } = packet;
  const mark = ip.tos & 3 ? `[${ECN_NAMES[ip.tos & 3]}] ` : '';
  if (tcp) {
    const syn = (tcp.flags & TCP_FLAG.SYN) !== 0;
    const seq = map.outboundSeq(tcp.seq, syn);
    const end = (seq + tcp.payloadBytes) >>> 0;
    const ack = tcp.flags & TCP_FLAG.ACK ? ` ack ${map.outboundAck(tcp.ack, syn)}` : '';
    const urgent = tcp.flags & TCP_FLAG.URG ? ` urg ${tcp.urgent}` : '';
    const options = tcp.options.map((live) => {
      const option = map.outboundOption(live, syn);
      return option ? describeOption(option) : `kind ${live.kind}`;
    });
    const list = options.length > 0 ? ` <${options.join(',')}>` : '';
    return `> ${mark}${describeFlags(tcp.flags)} ${seq}:${end}(${tcp.payloadBytes})${ack} win ${tcp.window}${urgent}${list}`;
  }
  if (udp) return `> ${mark}udp ${udp.sourcePort} > ${udp.destinationPort} (${udp.payloadBytes})`;
  if (icmp) return `> ${mark}icmp type ${icmp.type} code ${icmp.code}${icmp.mtu ? ` mtu ${icmp.mtu}` : ''}`;
  return `> ip protocol ${ip.protocol}, ${ip.totalLength} bytes`;
}

function describeIcmp(body: IcmpBody): string {
  const mtu = body.mtu === undefined ? '' : ` mtu ${body.mtu}`;
  return `icmp type ${body.type} code ${body.code}${mtu}`;
}

/** A line of the script, options in one form. */
export function describeAction(action: PacketAction): string {
  const arrow = action.direction === 'inbound' ? '<' : '>';
  const mark = action.ip.ecn ? `[${action.ip.ecn}] ` : '';
  const { body } = action;
  if (body.kind === 'udp') return `${arrow} ${mark}udp (${body.payloadBytes})`;
  if (body.kind === 'icmp') return `${arrow} ${mark}${describeIcmp(body)}`;
  const end = (body.seq + body.payloadBytes) >>> 0;
  const ack = body.ack === undefined ? '' : ` ack ${body.ack}`;
  const window = body.window === undefined ? '' : ` win ${body.window}`;
  const urgent = body.urgent === undefined ? '' : ` urg ${body.urgent}`;
  const list = body.options === 'any' ? '...' : body.options.map(describeOption).join(',');
  const options = list === '' ? '' : ` <${list}>`;
  return `${arrow} ${mark}${describeFlags(body.flags)} ${body.seq}:${end}(${body.payloadBytes})${ack}${window}${urgent}${options}`;
}
