/** ICMP types and codes by the names that scripts use (RFC 792, RFC 1122, RFC 1191, RFC 1812). */
const TYPES: Readonly<Record<string, number>> = {
  echo_reply: 0,
  echoreply: 0,
  unreachable: 3,
  source_quench: 4,
  redirect: 5,
  echo_request: 8,
  echo: 8,
  time_exceeded: 11,
  parameter_problem: 12,
  timestamp: 13,
  timestamp_reply: 14,
};

const CODES: Readonly<Record<number, Readonly<Record<string, number>>>> = {
  3: {
    net_unreachable: 0,
    host_unreachable: 1,
    protocol_unreachable: 2,
    port_unreachable: 3,
    frag_needed: 4,
    source_route_failed: 5,
    net_unknown: 6,
    host_unknown: 7,
    source_host_isolated: 8,
    net_prohibited: 9,
    host_prohibited: 10,
    net_unreachable_for_tos: 11,
    host_unreachable_for_tos: 12,
    packet_filtered: 13,
    precedence_violation: 14,
    precedence_cutoff: 15,
  },
  5: { net: 0, host: 1, tos_net: 2, tos_host: 3 },
  11: { ttl_exceeded: 0, ttl: 0, frag_time_exceeded: 1, frag_time: 1 },
  12: { pointer: 0, missing_option: 1, bad_length: 2 },
};

export function icmpTypeByName(name: string): number | undefined {
  return Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
}

export function icmpCodeByName(type: number, name: string): number | undefined {
  const codes = CODES[type];
  return codes && Object.hasOwn(codes, name) ? codes[name] : undefined;
}
