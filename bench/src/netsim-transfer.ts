import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { createPipe } from '@qanat/link';
import { createStack, type Flow } from '@qanat/stack';
import type { CongestionName } from '@qanat/tcp';

/** One transfer from a host to another over a link that loses frames at random, on virtual time. */
export interface TransferOptions {
  readonly bytes: number;
  /** Send buffer of the sender and receive buffer of the receiver. */
  readonly bufferBytes: number;
  /** Chance of each frame to be lost, both ways. */
  readonly lossRate: number;
  readonly rttUs: number;
  readonly congestion: CongestionName;
  readonly seed: number;
  /** Gets the sender's flow when it is connected: to log it. */
  readonly onFlow?: (flow: Flow) => void;
}

export interface TransferResult {
  /** Bytes per virtual second, from the established connection until the last byte was read. */
  readonly goodput: number;
  /** The same of the second half of the bytes: without the start. */
  readonly steadyGoodput: number;
  readonly virtualUs: number;
  readonly retransmitted: number;
  readonly timeouts: number;
  /** Data segments that were sent, first time or again. */
  readonly segments: number;
}

const MTU = 1500;
const CHUNK = 65_536;
const PORT = 5001;
/** A link that takes longer is dead: 10 MiB at one byte per second take 121 days. */
const LONGEST_US = 400 * 86_400e6;

/** What is measured is recovery: not when to give up, and not the search for the MTU, which is known. */
const PATIENT = { synRetries: 100, synAckRetries: 100, retries2: 1000, mtuProbing: 'off' } as const;
/** The link is a link of IP packets: ARP asks until it knows, and then never again. */
export const STEADY_ARP = { broadcastTries: 1000, reachableUs: 1e15 };

let shared: Memory | undefined;

/** @throws Error when the transfer ends early. */
export function transfer(options: TransferOptions): TransferResult {
  const { bytes, bufferBytes, lossRate, rttUs, congestion, seed } = options;
  shared ??= Memory.create({ bytes: 96 * 1024 * 1024 });
  const memory = shared;
  const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
  const time = new VirtualTime();
  const impair = { seed, lossRate, delayUs: rttUs / 2 };
  const world = { memory, pages, clock: time.clock, timers: time.timers };
  const [left, right] = createPipe({ ...world, mtu: MTU, impair });
  const tcp = { ...PATIENT, sndBuf: bufferBytes, rcvBuf: bufferBytes, congestion };
  const a = createStack({ ...world, random: seededRandom(seed), name: 'a', tcp, arp: STEADY_ARP });
  const b = createStack({ ...world, random: seededRandom(seed + 1), name: 'b', tcp, arp: STEADY_ARP });
  a.addInterface(left, { address: '10.0.0.1/24' });
  b.addInterface(right, { address: '10.0.0.2/24' });
  let received = 0;
  let halfAtUs = 0;
  let doneAtUs = 0;
  b.listen({
    port: PORT,
    onFlow: (flow) => {
      flow.onReadable = () => {
        for (let n = flow.peekBytes; n > 0; n = flow.peekBytes) {
          received += n;
          flow.consume(n);
        }
        if (halfAtUs === 0 && received >= bytes / 2) halfAtUs = time.clock.now();
        if (received >= bytes) doneAtUs = time.clock.now();
      };
    },
  });
  const flow = a.connect({ host: '10.0.0.2', port: PORT });
  let startUs = 0;
  let unwritten = bytes;
  const source = new Uint8Array(CHUNK);
  const pump = (): void => {
    while (unwritten > 0) {
      const taken = flow.write(unwritten < CHUNK ? source.subarray(0, unwritten) : source);
      unwritten -= taken;
      if (taken < CHUNK) break;
    }
  };
  flow.onWritable = pump;
  flow.onConnect = () => {
    startUs = time.clock.now();
    options.onFlow?.(flow);
    pump();
  };
  flow.onClose = (error) => {
    throw error ?? new Error('the flow was closed early');
  };
  while (doneAtUs === 0 && time.clock.now() < LONGEST_US) {
    if (!time.step()) throw new Error(`nobody waits for anything after ${received} of ${bytes} bytes`);
  }
  const stats = a.stats();
  const result = {
    goodput: rate(received, doneAtUs - startUs),
    steadyGoodput: rate(bytes / 2, doneAtUs - halfAtUs),
    virtualUs: doneAtUs - startUs,
    retransmitted: stats.RetransSegs,
    timeouts: stats.TCPTimeouts,
    segments: flow.info().tcpi_data_segs_out,
  };
  flow.onClose = undefined;
  a.close();
  b.close();
  return result;
}

function rate(bytes: number, us: number): number {
  return us > 0 ? (bytes * 1e6) / us : Number.POSITIVE_INFINITY;
}
