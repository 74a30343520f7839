/** Packets of a capture (pcap, pcapng) to a trace: a flow per connection, as far as a capture tells. */
import { type FlowTrace, sourceTrace, type Trace } from '../trace.ts';
import { CaptureConnection } from './capture-connection.ts';
import type { Capture } from './frame-table.ts';
import { ipv4Offset } from './link-layer.ts';
import { readPcapFrames } from './pcap-read.ts';
import { readPcapngFrames } from './pcapng-read.ts';
import { TcpPacket } from './tcp-packet.ts';

/** Connections that become flows; a capture of a port scan has more. */
const MAX_CONNECTIONS = 16_384;
const NO_FLOW = -1;

/** Reads a pcap file. @returns all that is whole; the rest is told in `problems`. */
export function readPcap(bytes: Uint8Array): Trace {
  return captureTrace(bytes, readPcapFrames(bytes));
}

/** Reads a pcapng file. @returns all that is whole; the rest is told in `problems`. */
export function readPcapng(bytes: Uint8Array): Trace {
  return captureTrace(bytes, readPcapngFrames(bytes));
}

/** Packets of a trace that belong to no flow: other protocols than TCP over IPv4, fragments, headers cut short. */
export function otherFrames(trace: Trace): number {
  let count = 0;
  if (trace.frames !== undefined) for (const flow of trace.frames.flow) if (flow === NO_FLOW) count++;
  return count;
}

function captureTrace(bytes: Uint8Array, { frames, clock, problems }: Capture): Trace {
  const flow = new Int32Array(frames.rows);
  const segment = new Uint32Array(frames.rows);
  const connections = new Connections();
  const packet = new TcpPacket();
  let unkept = 0;
  for (let row = 0; row < frames.rows; row++) {
    flow[row] = NO_FLOW;
    const offset = frames.offset[row]!;
    const captured = frames.capturedBytes[row]!;
    const at = ipv4Offset(bytes, offset, captured, frames.linkType[row]!);
    if (at < 0 || !packet.parse(bytes, at, offset + captured, offset + frames.originalBytes[row]!)) continue;
    const timeUs = frames.timeUs[row]!;
    const index = connections.find(packet, timeUs);
    if (index < 0) {
      unkept++;
      continue;
    }
    flow[row] = index;
    segment[row] = connections.list[index]!.add(packet, timeUs, row, frames.direction[row]!);
  }
  const flows: FlowTrace[] = connections.list.map((connection, id) => connection.finish(id, 0));
  const told = [...problems];
  if (unkept > 0) told.push(`${unkept} packets belong to more than ${MAX_CONNECTIONS} connections and make no flows`);
  return {
    sources: [sourceTrace({ id: 0, name: 'capture', kind: 'capture' })],
    flows,
    clock,
    problems: told,
    frames: frames.finish(bytes, flow, segment),
  };
}

/** Finds the connection of a packet by its four addresses, whichever way it goes. */
class Connections {
  readonly list: CaptureConnection[] = [];
  /** By the smaller end (address and port in one number), then by the larger. */
  readonly #byEnds = new Map<number, Map<number, number>>();

  /** @returns an index into `list`, -1 when there are too many. */
  find(packet: TcpPacket, timeUs: number): number {
    const source = packet.sourceAddress * 65_536 + packet.sourcePort;
    const destination = packet.destinationAddress * 65_536 + packet.destinationPort;
    const low = Math.min(source, destination);
    const high = Math.max(source, destination);
    let peers = this.#byEnds.get(low);
    const known = peers?.get(high);
    if (known !== undefined && !this.list[known]!.isReopenedBy(packet)) return known;
    if (this.list.length >= MAX_CONNECTIONS) return -1;
    if (peers === undefined) {
      peers = new Map();
      this.#byEnds.set(low, peers);
    }
    const index = this.list.length;
    peers.set(high, index);
    this.list.push(new CaptureConnection(packet, timeUs));
    return index;
  }
}
