import { createWriteStream } from 'node:fs';
import type { Memory, Packet } from '@qanat/bytes';
import type { VirtualTime } from '@qanat/clock';
import { type Netif, PcapngWriter, pcapTap } from '@qanat/link';
import { ACK, FIN, headerBytes, PSH, RST, SYN, TCP_ACK, TCP_SEQ, TCP_SRC_PORT, TCP_WINDOW } from '@qanat/tcp';
import { Meter } from './meter.ts';
import type { Scenario } from './scenario.ts';
import { type Outcome, simulate } from './simulate.ts';
import type { Wrap } from './simulation.ts';

const ETHERTYPE_OFFSET = 12;
const ETHERTYPE_ARP = 0x0806;
const IP_OFFSET = 14;
const TCP_OFFSET = 34;
const OPT_SACK = 5;

/** Runs a scenario and hands every segment that a host sends or gets to `line`, as a line of text. */
export function simulateTraced(scenario: Scenario, line: (text: string) => void): Outcome {
  const starts = new Map<string, number>();
  const wrap: Wrap = (netif, time) => {
    const tap = new Meter(netif);
    const host = netif.name === 'pipe0' ? 'a' : 'b';
    tap.onTransmit = (_netif, packet) => line(describe(tap.memory, packet, `${host} sends`, time, starts));
    tap.onReceive = (packet) => {
      line(describe(tap.memory, packet, `${host} gets `, time, starts));
      return true;
    };
    return tap;
  };
  return simulate(scenario, { wrap });
}

/** Runs a scenario with a capture of both hosts' devices in one pcapng file. */
export async function simulateCaptured(scenario: Scenario, path: string): Promise<Outcome> {
  const file = createWriteStream(path);
  const writer = new PcapngWriter((bytes) => void file.write(bytes));
  const outcome = simulate(scenario, { wrap: (netif: Netif, time: VirtualTime) => pcapTap(netif, writer, time.clock) });
  writer.flush();
  await new Promise<void>((resolve, reject) => file.on('error', reject).end(resolve));
  return outcome;
}

/** Sequence numbers count from the first that was seen in their direction. */
function describe(
  memory: Memory,
  packet: Packet,
  what: string,
  time: VirtualTime,
  starts: Map<string, number>,
): string {
  const { view } = memory;
  const head = `${(time.clock.now() / 1e6).toFixed(6)} ${what}`;
  const frame = packet.addr;
  if (view.getUint16(frame + ETHERTYPE_OFFSET) === ETHERTYPE_ARP) return `${head} ARP ${view.getUint16(frame + 20)}`;
  const tcp = frame + TCP_OFFSET;
  const header = headerBytes(memory, tcp);
  const bytes = view.getUint16(frame + IP_OFFSET + 2) - 20 - header;
  const [source, target] = [view.getUint16(tcp + TCP_SRC_PORT), view.getUint16(tcp + TCP_SRC_PORT + 2)];
  const relative = (key: string, seq: number): number => {
    if (!starts.has(key)) starts.set(key, seq);
    return (seq - starts.get(key)!) | 0;
  };
  const flags = view.getUint8(tcp + 13);
  const [there, back] = [`${source}>${target}`, `${target}>${source}`];
  const seq = relative(there, view.getInt32(tcp + TCP_SEQ));
  let text = `${head} ${there} ${flagNames(flags)} ${seq}:${seq + bytes}(${bytes})`;
  if (flags & ACK) text += ` ack ${relative(back, view.getInt32(tcp + TCP_ACK))}`;
  text += ` win ${view.getUint16(tcp + TCP_WINDOW)}`;
  for (let at = tcp + 20; at < tcp + header; ) {
    const kind = view.getUint8(at);
    if (kind === 0) break;
    const length = kind === 1 ? 1 : view.getUint8(at + 1);
    if (length === 0) break;
    if (kind === OPT_SACK) {
      for (let block = at + 2; block < at + length; block += 8) {
        text += ` sack ${relative(back, view.getInt32(block))}:${relative(back, view.getInt32(block + 4))}`;
      }
    }
    at += length;
  }
  return text;
}

function flagNames(flags: number): string {
  const names = [
    [SYN, 'S'],
    [FIN, 'F'],
    [RST, 'R'],
    [PSH, 'P'],
    [ACK, '.'],
  ] as const;
  return names.map(([bit, name]) => (flags & bit ? name : '')).join('');
}
