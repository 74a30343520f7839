import type { Packet } from '@qanat/bytes';
import { Timer } from '@qanat/clock';
import type { Netif } from '@qanat/link';
import { TCP_CHECKSUM, TCP_WINDOW } from '@qanat/tcp';
import type { Meter } from './meter.ts';
import type { Simulation } from './simulation.ts';

/**
 * What tests break on purpose, to see each invariant fail. `swapWords` exchanges two words of a segment's payload, which
 * its checksum does not notice.
 */
export type Fault =
  | 'swapWords'
  | 'dropAtReader'
  | 'deafApplication'
  | 'hideError'
  | 'silence'
  | 'closedWindow'
  | 'echo'
  | 'leakPage'
  | 'hoardPages'
  | 'leakTimer'
  | 'longTimeWait'
  | 'lostTimer'
  | 'wrongCount'
  | 'throw';

const ETHERNET_AND_IP_BYTES = 34;
const PAYLOAD_OFFSET = ETHERNET_AND_IP_BYTES + 40;

/** Plants a fault into a run that has not begun. */
export function plant(fault: Fault, simulation: Simulation): void {
  const { time, pages, applications } = simulation;
  const [meter] = simulation.meters;
  switch (fault) {
    case 'swapWords':
      meter.onReceive = (packet) => {
        swapWords(meter, packet);
        return true;
      };
      break;
    case 'dropAtReader':
      for (const application of applications) application.dropBytes = 1;
      break;
    case 'deafApplication':
      for (const application of applications) application.deaf = true;
      break;
    case 'hideError':
      for (const application of applications) application.hideError = true;
      break;
    case 'closedWindow':
      meter.onReceive = (packet) => {
        if (time.clock.now() > 30_000) closeWindow(meter, packet);
        return true;
      };
      break;
    case 'silence':
      meter.onReceive = () => time.clock.now() < 30_000;
      break;
    case 'echo':
      meter.onTransmit = (netif, packet) => echo(meter, netif, packet);
      break;
    case 'leakPage':
      pages.a.alloc();
      break;
    case 'hoardPages':
      pages.a.allocContiguous(2048);
      break;
    case 'leakTimer': {
      const timer: Timer = new Timer((nowUs) => time.timers.arm(timer, nowUs + 60_000_000));
      time.timers.arm(timer, 60_000_000);
      break;
    }
    case 'longTimeWait':
      forConnections(simulation, (c) => {
        if (c.stateName === 'TIME-WAIT') c.lifeAtUs = time.clock.now() + 3_600_000_000;
      });
      break;
    case 'lostTimer':
      forConnections(simulation, (c) => {
        if (c.rtx.packetsOut > 0) c.rtoAtUs = Number.POSITIVE_INFINITY;
      });
      break;
    case 'wrongCount':
      forConnections(simulation, (c) => {
        if (c.rtx.packetsOut > 3) c.rtx.lostOut++;
      });
      break;
    case 'throw':
      meter.onReceive = () => {
        throw new Error('a fault that was put in');
      };
      break;
  }
}

type Connection = Simulation['a']['tcp']['connections'] extends Iterable<infer C> ? C : never;

/** Does something to every connection each 10 ms. */
function forConnections(simulation: Simulation, act: (c: Connection) => void): void {
  const { time } = simulation;
  const timer: Timer = new Timer((nowUs) => {
    for (const stack of [simulation.a, simulation.b]) for (const c of stack.tcp.connections) act(c);
    time.timers.arm(timer, nowUs + 10_000);
  });
  time.timers.arm(timer, 10_000);
}

function swapWords(meter: Meter, packet: Packet): void {
  if (packet.len < PAYLOAD_OFFSET + 64) return;
  const at = packet.addr + PAYLOAD_OFFSET;
  const { view } = meter.memory;
  const word = view.getUint16(at);
  view.setUint16(at, view.getUint16(at + 2));
  view.setUint16(at + 2, word);
}

/** A peer that never has room again. */
function closeWindow(meter: Meter, packet: Packet): void {
  const { view } = meter.memory;
  if (view.getUint16(packet.addr + 12) !== 0x0800) return;
  const at = packet.addr + ETHERNET_AND_IP_BYTES;
  // ~(~checksum - window): the window's part is taken out of the ones' complement sum (RFC 1624).
  let sum = (~view.getUint16(at + TCP_CHECKSUM) & 0xffff) + (~view.getUint16(at + TCP_WINDOW) & 0xffff);
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(at + TCP_CHECKSUM, ~sum & 0xffff);
  view.setUint16(at + TCP_WINDOW, 0);
}

/** Sends each frame a hundred times. */
function echo(meter: Meter, netif: Netif, packet: Packet): void {
  for (let i = 0; i < 100; i++) {
    const copy = netif.allocate(packet.len);
    if (copy === null) return;
    copy.set(copy.addr, packet.len);
    meter.memory.kernel.copy(copy.addr, packet.addr, packet.len);
    meter.frames++;
    netif.transmit(copy);
  }
}
