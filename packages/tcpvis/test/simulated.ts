import { Memory, PAGE_SIZE, PageAllocator } from '@qanat/bytes';
import { seededRandom, VirtualTime } from '@qanat/clock';
import { SourceRecorder, type Trace } from '@qanat/flowlog';
import { createPipe, type ImpairmentOptions, PcapngWriter, pcapTap } from '@qanat/link';
import { createStack } from '@qanat/stack';
import type { CongestionName } from '@qanat/tcp';

const BURST_US = 100_000;

export interface Transfer {
  readonly seed: number;
  /** What `10.0.0.1` sends; it closes then. */
  readonly bytes: number;
  /** The application writes so much at a time, and again when a tenth of a second has gone by. Default: all it can. */
  readonly burstBytes?: number;
  /** One way. */
  readonly delayUs: number;
  /** Of the link, in bits per second; default: no limit. */
  readonly rateBps?: number;
  /** Of frames, from the sender and back. */
  readonly lossRate: readonly [number, number];
  /** What else is wrong with the link, both ways. */
  readonly impair?: ImpairmentOptions;
  readonly congestion?: CongestionName;
  /** Of the sender. Default 40000. */
  readonly localPort?: number;
  /** The receiver reads nothing for so long, in the middle of the transfer. */
  readonly pauseUs?: number;
}

export interface Transferred {
  /** What the sender recorded. */
  readonly sender: Trace;
  readonly receiver: Trace;
  /** What a tap on the sender's link captured, as pcapng. */
  readonly capture: Uint8Array;
}

/** Two stacks over an impaired link, on virtual time: 10.0.0.1:40000 sends to 10.0.0.2:5001. */
export function transfer(options: Transfer): Transferred {
  const { seed, bytes, burstBytes, delayUs, rateBps = 0, lossRate, localPort = 40_000, pauseUs = 0 } = options;
  const memory = Memory.create({ bytes: 64 * 1024 * 1024 });
  const pages = new PageAllocator(PAGE_SIZE, memory.bytes - PAGE_SIZE);
  const time = new VirtualTime();
  const { clock, timers } = time;
  const on = { memory, pages, clock, timers };
  const impair = lossRate.map((rate) => ({
    seed,
    delayUs,
    lossRate: rate,
    ...(rateBps > 0 ? { rateBitsPerSecond: rateBps } : {}),
    ...options.impair,
  })) as [ImpairmentOptions, ImpairmentOptions];
  const [left, right] = createPipe({ ...on, impair });
  const pieces: Uint8Array[] = [];
  const writer = new PcapngWriter((piece) => pieces.push(piece));
  const a = createStack({
    ...on,
    random: seededRandom(1),
    name: 'a',
    tcp: { congestion: options.congestion ?? 'cubic' },
  });
  const b = createStack({ ...on, random: seededRandom(2), name: 'b' });
  a.addInterface(pcapTap(left, writer, clock), { address: '10.0.0.1/24' });
  b.addInterface(right, { address: '10.0.0.2/24' });
  // A refused connection first: the addresses of the link are known then, and the SYN below goes out when TCP sends it.
  a.connect({ host: '10.0.0.2', port: 1 }).onError = () => {};
  time.run(5_000_000);
  const [ofA, ofB] = ['client', 'server'].map((name, index) => {
    const source = { id: index + 1, name, kind: 'host' } as const;
    return new SourceRecorder({ source, now: () => clock.now(), records: 1 << 16 });
  }) as [SourceRecorder, SourceRecorder];
  a.record(ofA);
  b.record(ofB);
  const buffer = new Uint8Array(65_536);
  const resumeAt: number[] = [];
  let resume = (): void => {};
  b.listen({
    port: 5001,
    onFlow: (flow) => {
      let received = 0;
      let pause = pauseUs;
      const read = () => {
        for (;;) {
          if (pause > 0 && received >= bytes / 2) {
            if (pause === pauseUs) resumeAt.push(clock.now() + pauseUs);
            pause = clock.now() < resumeAt[0]! ? 1 : 0;
            if (pause > 0) return;
          }
          const got = flow.read(buffer);
          if (got <= 0) return;
          received += got;
        }
      };
      flow.onReadable = read;
      resume = read;
      flow.onEnd = () => flow.close();
    },
  });
  const flow = a.connect({ host: '10.0.0.2', port: 5001, localPort });
  let rest = bytes;
  let allowed = burstBytes ?? bytes;
  const pump = () => {
    while (rest > 0 && allowed > 0) {
      const taken = flow.write(buffer.subarray(0, Math.min(rest, allowed, buffer.length)));
      if (taken <= 0) return;
      rest -= taken;
      allowed -= taken;
    }
    if (rest === 0) flow.close();
  };
  flow.onWritable = pump;
  pump();
  while (burstBytes !== undefined && rest > 0) {
    time.run(clock.now() + BURST_US);
    allowed = burstBytes;
    pump();
  }
  if (pauseUs > 0) {
    while (resumeAt.length === 0) time.run(clock.now() + BURST_US);
    time.run(resumeAt[0]!);
    resume();
  }
  time.run(600_000_000);
  writer.flush();
  return { sender: ofA.trace(), receiver: ofB.trace(), capture: Buffer.concat(pieces) };
}

/** The two ends in one trace, as a run of both domains writes them. */
export function bothEnds({ sender, receiver }: Transferred): Trace {
  return {
    ...sender,
    sources: [...sender.sources, ...receiver.sources],
    flows: [...sender.flows, ...receiver.flows],
  };
}
