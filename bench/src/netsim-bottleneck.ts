import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { NEVER, seededRandom, Timer, VirtualTime } from '@qanat/clock';
import { createSwitch, Impairment, type ImpairmentPlan, type SwitchPortOptions } from '@qanat/link';
import { createStack, type Flow, type Stack } from '@qanat/stack';
import type { CongestionName } from '@qanat/tcp';
import { STEADY_ARP } from './netsim-transfer.ts';

/** smoltcp's scene of several flows: 200 Mbit/s behind a drop-tail queue of 64 KiB, buffers of 256 KiB. */
export const BOTTLENECK_BITS_PER_SECOND = 200e6;
export const BUFFER_BYTES = 262_144;
const QUEUE_BYTES = 65_536;
const RTT_LEAST_US = 50_000;
const RTT_MOST_US = 150_000;
const MTU = 1500;
const FRAME_HEADER_BYTES = 14;
/** Payload of a full segment with timestamps, and its frame. */
export const SEGMENT_BYTES = MTU - 52;
export const FRAME_BYTES = MTU + FRAME_HEADER_BYTES;
const PORT = 5001;
const CHUNK = 65_536;
/** Senders fill their buffers this often, whatever `onWritable` says: smoltcp's are asked after each packet. */
const POLL_US = 2000;

export interface SceneOptions {
  readonly flows: number;
  readonly congestion: CongestionName;
  /** Spreads segments over the round trip, as Linux does with the fq queueing discipline. */
  readonly pacing: boolean;
  /** CUBIC is no slower than Reno would be. Default true. */
  readonly renoFriendly?: boolean | undefined;
  /** Infinity: they never end. */
  readonly bytesPerFlow: number;
  readonly seed: number;
  /** All have this round trip, in place of drawn ones. */
  readonly rttUs?: number | undefined;
}

/** One of the flows, as the server sees it. */
export interface SceneFlow {
  readonly rttUs: number;
  received: number;
  /** When the last byte came; 0 before. */
  doneAtUs: number;
  /** The sender's end. */
  sender: Flow;
}

/** Counts what it carries. */
export class Bottleneck extends Impairment {
  frames = 0;
  bytes = 0;

  override plan(nowUs: number, bytes: number): ImpairmentPlan {
    const plan = super.plan(nowUs, bytes);
    if (plan.deliverAtUs !== NEVER) {
      this.frames++;
      this.bytes += bytes;
    }
    return plan;
  }

  get drops(): number {
    return this.counters.queueDrops;
  }
}

/** Hosts that each send to one server through its bottleneck, with round trips of 50 to 150 ms, on virtual time. */
export class Scene {
  readonly time = new VirtualTime();
  readonly flows: SceneFlow[] = [];
  done = 0;
  readonly bottleneck: Bottleneck;
  readonly #hosts: Stack[];
  readonly #polling: Timer;

  constructor(options: SceneOptions) {
    const { flows, congestion, pacing, bytesPerFlow, seed, renoFriendly = true } = options;
    const memory = Memory.create({ bytes: (64 + 2 * flows) * 1024 * 1024 });
    const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
    const random = seededRandom(seed);
    this.bottleneck = new Bottleneck(
      { rateBitsPerSecond: BOTTLENECK_BITS_PER_SECOND, queuePackets: 0x10_0000, queueBytes: QUEUE_BYTES },
      random,
    );
    const ports: SwitchPortOptions[] = [{ name: 'server', impair: this.bottleneck }];
    const rttsUs =
      options.rttUs === undefined ? roundTripsUs(flows, seed) : new Array<number>(flows).fill(options.rttUs);
    // The whole round trip lies on the way back to the sender.
    rttsUs.forEach((delayUs, i) => void ports.push({ name: `host${i}`, impair: { delayUs } }));
    const { clock, timers } = this.time;
    const world = { memory, pages, clock, timers };
    const tcp = {
      sndBuf: BUFFER_BYTES,
      rcvBuf: BUFFER_BYTES,
      congestion,
      pacing,
      renoFriendly,
      retries2: 1000,
      mtuProbing: 'off',
    } as const;
    this.#hosts = createSwitch({ ...world, mtu: MTU, ports }).ports.map((netif, i) => {
      const stack = createStack({ ...world, random: seededRandom(seed + i), name: netif.name, tcp, arp: STEADY_ARP });
      stack.addInterface(netif, { address: `10.0.${i >>> 8}.${(i & 255) + 1}/16` });
      return stack;
    });
    this.#serve(bytesPerFlow);
    const pumps: (() => void)[] = [];
    rttsUs.forEach((rttUs, i) => {
      const { sender, pump } = send(this.#hosts[i + 1]!, bytesPerFlow);
      this.flows.push({ rttUs, received: 0, doneAtUs: 0, sender });
      pumps.push(pump);
    });
    const polling = new Timer((nowUs) => {
      for (const pump of pumps) pump();
      timers.arm(polling, nowUs + POLL_US);
    });
    timers.arm(polling, POLL_US);
    this.#polling = polling;
  }

  close(): void {
    this.time.timers.cancel(this.#polling);
    for (const host of this.#hosts) host.close();
  }

  #serve(bytesPerFlow: number): void {
    this.#hosts[0]!.listen({
      port: PORT,
      onFlow: (flow) => {
        const [, , high, low] = flow.remote.address.split('.').map(Number);
        const one = this.flows[(high! << 8) + low! - 2]!;
        flow.onReadable = () => {
          for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
            one.received += n;
            flow.consume(n);
          }
          if (one.received < bytesPerFlow || one.doneAtUs > 0) return;
          one.doneAtUs = this.time.clock.now();
          this.done++;
        };
      },
    });
  }
}

/** The flows' round trips without queues: the same for the same seed. */
export function roundTripsUs(flows: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: flows }, () => Math.round(RTT_LEAST_US + random.float() * (RTT_MOST_US - RTT_LEAST_US)));
}

function send(stack: Stack, bytes: number): { sender: Flow; pump: () => void } {
  const sender: Flow = stack.connect({ host: '10.0.0.1', port: PORT });
  const source = new Uint8Array(CHUNK);
  let unwritten = bytes;
  const pump = (): void => {
    while (unwritten > 0 && sender.writable > 0) {
      const taken = sender.write(unwritten < CHUNK ? source.subarray(0, unwritten) : source);
      unwritten -= taken;
      if (taken < CHUNK) break;
    }
  };
  sender.onConnect = pump;
  sender.onWritable = pump;
  return { sender, pump };
}
