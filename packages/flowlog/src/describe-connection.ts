import type { Connection } from '@qanat/tcp';
import { type FlowDescriptor, flowDescriptor } from './trace.ts';

const SYN_SENT = 2;
const SYN_RECEIVED = 3;

/** What is known of a connection now. @param startUs when its recording began. */
export function describeConnection(c: Connection, id: number, source: number, startUs: number): FlowDescriptor {
  const { localAddress, localPort, remoteAddress, remotePort, passive, iss, irs, mss } = c;
  const addresses = { localAddress, localPort, remoteAddress, remotePort };
  const common = { id, source, ...addresses, active: !passive, iss, congestion: c.config.congestion, startUs };
  // What the handshake has not settled yet is unknown.
  if (c.state === SYN_SENT || c.segsIn === 0) return flowDescriptor(common);
  if (c.state === SYN_RECEIVED) return flowDescriptor({ ...common, irs });
  return flowDescriptor({ ...common, irs, mss, sndShift: c.sndWndShift, rcvShift: c.rcvWndShift });
}
