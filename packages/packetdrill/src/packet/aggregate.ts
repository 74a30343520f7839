import { TCP_FLAG } from '../ast.ts';
import type { LivePacket } from './decode.ts';

/** Flags that all segments of one burst share. */
const SHARED_FLAGS = TCP_FLAG.SYN | TCP_FLAG.RST | TCP_FLAG.ACK | TCP_FLAG.URG | TCP_FLAG.ECE;

/**
 * Whether a segment goes on where the last of `fragments` ended, as part of what a script writes as one line.
 * All but the last are of one length.
 */
export function continues(fragments: readonly LivePacket[], next: LivePacket): boolean {
  const first = fragments[0]?.tcp;
  const last = fragments.at(-1)?.tcp;
  const tcp = next.tcp;
  if (!first || !last || !tcp || tcp.payloadBytes === 0) return false;
  return (
    tcp.seq === (last.seq + last.payloadBytes) >>> 0 &&
    tcp.ack === last.ack &&
    tcp.window === last.window &&
    tcp.headerBytes === last.headerBytes &&
    (tcp.flags & SHARED_FLAGS) === (last.flags & SHARED_FLAGS) &&
    last.payloadBytes === first.payloadBytes &&
    tcp.payloadBytes <= first.payloadBytes
  );
}

/** One packet out of several: headers, flags and time of the last, sequence number and CWR of the first. */
export function merge(fragments: readonly LivePacket[]): LivePacket {
  const last = fragments.at(-1)!;
  const first = fragments[0]!;
  if (fragments.length === 1 || !last.tcp || !first.tcp) return last;
  const flags = (last.tcp.flags & ~TCP_FLAG.CWR) | (first.tcp.flags & TCP_FLAG.CWR);
  const every = (test: (packet: LivePacket) => boolean | undefined): boolean =>
    fragments.every((p) => test(p) === true);
  return {
    ...last,
    ip: { ...last.ip, checksumOk: every((p) => p.ip.checksumOk), dontFragment: every((p) => p.ip.dontFragment) },
    tcp: {
      ...last.tcp,
      seq: first.tcp.seq,
      flags,
      payloadBytes: fragments.reduce((sum, p) => sum + (p.tcp?.payloadBytes ?? 0), 0),
      payloadZero: every((p) => p.tcp?.payloadZero),
      checksumOk: every((p) => p.tcp?.checksumOk),
    },
  };
}
