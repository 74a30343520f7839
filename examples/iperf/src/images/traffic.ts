import { PAGE_SIZE } from '@qanat/bytes';
import { Timer } from '@qanat/clock';
import type { Netfront } from '@qanat/netfront';
import type { Kernel } from '@qanat/os';
import type { Flow } from '@qanat/stack';
import { PatternArea } from '../pattern.ts';
import type { DomainMessage, HostMessage, OffloadCounts, StreamPlan, StreamSample, TrafficArgs } from '../protocol.ts';
import { Stream, type StreamHost } from './stream.ts';

/** How long flows may go on after the end of a test by time, before they are given up. */
const DRAIN_US = 2_000_000;
/** A receiver waits this much longer than the sender drains, so that the sender's reset is seen first. */
const RECEIVER_GRACE_US = 1_000_000;
/** How long flows that have nothing more to carry may take to close at both ends. */
const CLOSING_US = 2_000_000;
/** Bytes that are compared with the pattern at a time, at least. */
const CHECK_BYTES = 65_536;

/**
 * All flows of one domain: starts them together, takes samples, ends them. The domain itself goes on, for the peer's last
 * segments, until the command says `exit`.
 */
export class Traffic implements StreamHost {
  readonly length: number;
  readonly verify: boolean;
  readonly lend: boolean;
  readonly #kernel: Kernel;
  readonly #args: TrafficArgs;
  readonly #netfronts: readonly Netfront[];
  readonly #onGo: () => void;
  readonly #onExit: () => void;
  readonly #streams: Stream[] = [];
  readonly #sampler = new Timer(() => this.#sample());
  readonly #liveTimer = new Timer(() => this.#live());
  readonly #deadline = new Timer(() => this.stop());
  readonly #drainTimer = new Timer(() => this.#abort());
  readonly #closingTimer = new Timer(() => this.#end());
  #pattern: PatternArea | undefined;
  #startUs = -1;
  #blockedUs = 0;
  #liveUs = 0;
  #liveBytes = 0;
  /** What is reported in the end: from when the last flow had nothing more to carry. */
  #report: Extract<DomainMessage, { type: 'end' }> | undefined;
  #ended = false;

  /**
   * @param netfronts of the domain, for their counters.
   * @param onGo the other end is ready, too.
   * @param onExit the domain is about to end: all flows of the test are over, at both ends, or the test has failed.
   */
  constructor(kernel: Kernel, args: TrafficArgs, netfronts: readonly Netfront[], onGo: () => void, onExit: () => void) {
    this.#kernel = kernel;
    this.#args = args;
    this.#netfronts = netfronts;
    this.#onGo = onGo;
    this.#onExit = onExit;
    this.length = args.length;
    this.verify = args.verify;
    this.lend = args.lend;
    kernel.onHostMessage = (message) => {
      const { type } = message as HostMessage;
      if (type === 'go') this.#onGo();
      else if (type === 'stop') this.stop();
      else this.#exit();
    };
  }

  /** Made for the first flow: bytes that are lent lie in pages of its device. */
  get pattern(): PatternArea {
    return this.#pattern!;
  }

  #makePattern(flow: Flow): PatternArea {
    const { memory, pages } = this.#kernel;
    const { seed, length, lend, streams, role } = this.#args;
    const lends = lend && streams.some(({ sender }) => sender === role);
    const alloc = (bytes: number): number =>
      lends ? flow.allocLendable(bytes) : pages.allocContiguous(Math.ceil(bytes / PAGE_SIZE));
    return new PatternArea(memory, alloc, seed, Math.max(length, CHECK_BYTES));
  }

  now(): number {
    return this.#kernel.clock.now();
  }

  defer(task: () => void): void {
    this.#kernel.loop.defer(task);
  }

  post(message: DomainMessage): void {
    this.#kernel.post(message);
  }

  /** Takes a flow in; a flow that a listener gives is connected already. */
  add(plan: StreamPlan, flow: Flow): void {
    const sender = plan.sender === this.#args.role;
    this.#pattern ??= this.#makePattern(flow);
    if (sender && this.#args.flowLogRecords > 0) flow.startLogging(this.#args.flowLogRecords);
    const stream = new Stream(plan, sender, flow, this, () => this.#startWhenAllAreUp());
    this.#streams.push(stream);
    if (this.#args.role === 'server') flow.onConnect?.();
  }

  /** Ends the sending now: the time is up, or somebody wants the summary. */
  stop(): void {
    if (this.#startUs < 0) {
      this.#end();
      this.#exit();
      return;
    }
    this.#timers.cancel(this.#deadline);
    for (const stream of this.#streams) stream.stop();
    if (this.#streams.every((stream) => stream.finished)) {
      this.#finished();
      return;
    }
    const sends = this.#streams.some((stream) => stream.sender);
    this.#timers.arm(this.#drainTimer, this.now() + DRAIN_US + (sends ? 0 : RECEIVER_GRACE_US));
  }

  streamChanged(): void {
    if (this.#startUs < 0) {
      const dead = this.#streams.find((stream) => stream.error !== undefined);
      if (dead) this.#fail(dead);
      return;
    }
    if (this.#streams.every((stream) => stream.stopped)) this.#lastSample();
    if (this.#streams.every((stream) => stream.finished)) this.#finished();
  }

  get #timers() {
    return this.#kernel.loop.timers;
  }

  #startWhenAllAreUp(): void {
    const up = this.#streams.filter((stream) => stream.connected).length;
    if (this.#startUs >= 0 || up < this.#args.streams.length) return;
    const { durationUs, intervalUs, liveUs } = this.#args;
    const nowUs = this.now();
    this.#startUs = nowUs;
    this.#blockedUs = this.#kernel.stats().blockedUs;
    this.post({ type: 'connected', streams: this.#streams.map((stream) => stream.describe()) });
    if (durationUs > 0) this.#timers.arm(this.#deadline, nowUs + durationUs);
    if (intervalUs > 0) this.#timers.arm(this.#sampler, nowUs + intervalUs);
    if (liveUs > 0) this.#timers.arm(this.#liveTimer, nowUs + liveUs);
    this.#liveUs = nowUs;
    for (const stream of this.#streams) stream.start(nowUs);
  }

  #sample(): void {
    this.#postSamples();
    const { intervalUs } = this.#args;
    const spans = Math.floor((this.now() - this.#startUs) / intervalUs) + 1;
    this.#timers.arm(this.#sampler, this.#startUs + spans * intervalUs);
  }

  #lastSample(): void {
    this.#timers.cancel(this.#sampler);
    this.#timers.cancel(this.#liveTimer);
    this.#postSamples();
  }

  #postSamples(): void {
    const samples: StreamSample[] = [];
    for (const stream of this.#streams) {
      const sample = stream.sample();
      if (sample) samples.push(sample);
    }
    if (samples.length > 0) this.post({ type: 'interval', streams: samples });
  }

  #live(): void {
    const nowUs = this.now();
    const bytes = this.#streams.reduce((sum, stream) => sum + stream.bytes, 0);
    this.post({
      type: 'live',
      startUs: this.#liveUs - this.#startUs,
      endUs: nowUs - this.#startUs,
      bytes: bytes - this.#liveBytes,
    });
    this.#liveUs = nowUs;
    this.#liveBytes = bytes;
    this.#timers.arm(this.#liveTimer, nowUs + this.#args.liveUs);
  }

  #abort(): void {
    for (const stream of this.#streams) stream.abort();
  }

  /** Nothing more comes or goes but what closes the flows: a log shows that, too. */
  #finished(): void {
    if (this.#ended) return;
    this.#timers.cancel(this.#deadline);
    this.#timers.cancel(this.#drainTimer);
    this.#report ??= this.#makeReport();
    if (this.#streams.every((stream) => stream.closed)) this.#end();
    else if (!this.#closingTimer.armed) this.#timers.arm(this.#closingTimer, this.now() + CLOSING_US);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of [this.#deadline, this.#drainTimer, this.#closingTimer]) this.#timers.cancel(timer);
    const report = this.#report ?? this.#makeReport();
    if (this.#startUs >= 0) this.#postFlowLogs();
    this.post(report);
  }

  #makeReport(): Extract<DomainMessage, { type: 'end' }> {
    const streams = this.#startUs < 0 ? [] : this.#streams.map((stream) => stream.end());
    if (this.#startUs >= 0) this.#lastSample();
    const offload = offloadCounts(this.#netfronts);
    const ringFullWaits = countRingFull(this.#netfronts);
    return { type: 'end', streams, ringFullWaits, offload, busyShare: this.#busyShare() };
  }

  #busyShare(): number {
    const us = this.now() - this.#startUs;
    return this.#startUs < 0 || us === 0 ? 0 : 1 - (this.#kernel.stats().blockedUs - this.#blockedUs) / us;
  }

  #postFlowLogs(): void {
    if (this.#args.flowLogRecords === 0) return;
    for (const { sender, flow, plan } of this.#streams) {
      if (!sender) continue;
      flow.stopLogging();
      const log = flow.logSnapshot();
      if (log) this.post({ type: 'flow-log', id: plan.id, log: log.handle });
    }
  }

  #fail(dead: Stream): void {
    if (this.#ended) return;
    this.#ended = true;
    const { serverIp, port } = this.#args;
    this.post({ type: 'failed', message: `connect ${dead.error} ${serverIp}:${port}` });
    this.#onExit();
    this.#kernel.exit(1);
  }

  #exit(): void {
    this.#onExit();
    this.#kernel.exit(0);
  }
}

/** @returns how often the stack of these vifs found no room in a transmit ring. */
function countRingFull(netfronts: readonly Netfront[]): number {
  return netfronts.reduce((sum, { counters }) => sum + (counters?.tx.ringFull ?? 0), 0);
}

function offloadCounts(netfronts: readonly Netfront[]): OffloadCounts {
  const counts = {
    blankChecksumsSent: 0,
    blankChecksumsReceived: 0,
    gsoSent: 0,
    referringSent: 0,
    gsoReceived: 0,
    groJoined: 0,
  };
  for (const { counters } of netfronts) {
    if (counters === undefined) continue;
    counts.blankChecksumsSent += counters.tx.blankChecksums;
    counts.blankChecksumsReceived += counters.rx.blankChecksums;
    counts.referringSent += counters.tx.referring;
    counts.gsoSent += counters.tx.gsoPackets;
    counts.gsoReceived += counters.rx.gsoPackets;
    counts.groJoined += counters.rx.groJoined;
  }
  const device = netfronts[0]?.device;
  const queues = device === undefined ? [] : device.queues.slice(0, device.txQueues);
  return {
    ...counts,
    queues: queues.map(({ counters }) => ({ sent: counters.tx.packets, received: counters.rx.packets })),
  };
}
