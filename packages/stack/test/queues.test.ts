import { type Memory, PAGE_SIZE, type Packet, PageAllocator, Memory as TheMemory } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { ETH_HEADER_BYTES } from '@qanat/ethernet';
import { NO_FLOW, packetFlowHash } from '@qanat/ipv4';
import { createPipe, type Netif, type NetifUp, NO_OFFLOAD } from '@qanat/link';
import { expect, it } from 'vitest';
import { createStack, type Stack } from '../src/index.ts';

/** A device that says it has queues, and looks whether each frame was allocated for the flow that it is of. */
class Spread implements Netif {
  readonly name = 'spread';
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly memory: Memory;
  readonly offload = NO_OFFLOAD;
  readonly txQueues: number | undefined;
  /** Frames by protocol (TCP 6, UDP 17, ICMP 1; 0 for ARP), those with a flow and all. */
  readonly counts = new Map<number, { flows: number; all: number }>();
  wrong = 0;
  readonly #netif: Netif;
  readonly #flows = new Map<Packet, number | undefined>();

  constructor(netif: Netif, txQueues: number | undefined) {
    this.#netif = netif;
    this.mac = netif.mac;
    this.mtu = netif.mtu;
    this.memory = netif.memory;
    this.txQueues = txQueues;
  }

  allocate(frameBytes: number, flow?: number): Packet | null {
    const packet = this.#netif.allocate(frameBytes);
    if (packet !== null) this.#flows.set(packet, flow);
    return packet;
  }

  transmit(packet: Packet): void {
    const { view } = this.memory;
    const ip = packet.addr + ETH_HEADER_BYTES;
    const isIp = view.getUint16(packet.addr + 12) === 0x0800;
    const right = isIp ? packetFlowHash(this.memory, ip, packet.len - ETH_HEADER_BYTES) : NO_FLOW;
    const flow = this.#flows.get(packet) ?? NO_FLOW;
    const protocol = isIp ? view.getUint8(ip + 9) : 0;
    const count = this.counts.get(protocol) ?? { flows: 0, all: 0 };
    this.counts.set(protocol, count);
    count.all++;
    if (flow !== NO_FLOW) count.flows++;
    if (flow !== right) this.wrong++;
    this.#netif.transmit(packet);
  }

  release(packet: Packet): void {
    this.#netif.release(packet);
  }

  flush(): void {
    this.#netif.flush();
  }

  attach(up: NetifUp): void {
    this.#netif.attach(up);
  }

  close(): void {
    this.#netif.close();
  }
}

/** Two hosts talk TCP, with and without a listener, with SYN cookies, UDP in one piece and in fragments, and ICMP. */
function talk(txQueues: number | undefined): Spread[] {
  const memory = TheMemory.create({ bytes: 64 << 20 });
  const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
  const time = new VirtualTime();
  const { clock, timers } = time;
  const ends = createPipe({ memory, pages, clock, timers, delayUs: 100 }).map((end) => new Spread(end, txQueues));
  const [a, b] = ends.map((end, i) => {
    const stack = createStack({ memory, pages, clock, timers, random: seededRandom(i), name: 'ab'[i]! });
    stack.addInterface(end, { address: `10.0.0.${i + 1}/24` });
    return stack;
  }) as [Stack, Stack];
  let received = 0;
  const buffer = new Uint8Array(1 << 16);
  b.listen({
    port: 5001,
    backlog: 1,
    onFlow: (flow) => {
      flow.onReadable = () => {
        for (let n = flow.read(buffer); n > 0; n = flow.read(buffer)) received += n;
      };
      flow.onEnd = () => flow.close();
    },
  });
  for (let i = 0; i < 8; i++) {
    const flow = a.connect({ host: '10.0.0.2', port: 5001 });
    flow.onConnect = () => {
      flow.write(new Uint8Array(50_000));
      flow.shutdown();
    };
  }
  // Nobody listens there: a reset.
  a.connect({ host: '10.0.0.2', port: 5002 });
  const udp = a.udp();
  b.udp({ port: 7 });
  for (const [bytes, port] of [
    [100, 7],
    [100, 9],
    [5000, 7],
  ] as const)
    udp.send(new Uint8Array(bytes), port, '10.0.0.2');
  time.run(20_000_000);
  expect(received).toBe(400_000);
  return ends;
}

it('every frame of a flow says which, for a device with several queues', () => {
  for (const { counts, wrong } of talk(4)) {
    expect(wrong).toBe(0);
    const tcp = counts.get(6)!;
    expect(tcp.flows).toBe(tcp.all);
  }
});

it('a device with one queue is not told of datagrams, which would have to be looked at for it', () => {
  for (const queues of [undefined, 1]) {
    const [a] = talk(queues);
    expect(a!.counts.get(17)).toEqual({ flows: 0, all: 6 });
  }
});
