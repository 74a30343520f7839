import { Timer } from '@qanat/clock';
import { SourceRecorder } from '@qanat/flowlog';
import type { Kernel, KernelStats } from '@qanat/os';
import type { Flow, Stack } from '@qanat/stack';
import {
  type GuestArgs,
  type GuestMessage,
  type GuestReport,
  type HostMessage,
  type LostWakeup,
  PAUSE_US,
  type Pause,
} from '../protocol.ts';
import { Sampler } from './sampler.ts';
import { TimerWatch } from './timer-watch.ts';

const WRITE_BYTES = 65_536;
/** Writes in a row, so that the loop gets a turn. */
const WRITES_PER_TURN = 64;

/** What an operating system of the lab gives to the application in it. */
export interface GuestSystem {
  /** Sleeps that the auditor objects to, so far. */
  lost(): readonly LostWakeup[];
  /** How often a writer found the transmit ring full. */
  ringFull(): number;
  /** Slots of the transmit ring that are occupied. */
  txUsed(): number;
}

/** The application in both domains of a run: sends as fast as it can for a while, or receives; and keeps a record. */
export class Guest {
  readonly #kernel: Kernel;
  readonly #args: GuestArgs;
  readonly #system: GuestSystem;
  readonly #sampler: Sampler;
  readonly #deadline = new Timer(() => this.#timeIsUp());
  readonly #pauses: Pause[] = [];
  #timerWatch: TimerWatch | undefined;
  #recorder: SourceRecorder | undefined;
  #stack: Stack | undefined;
  #flow: Flow | undefined;
  #addr = 0;
  #sending = false;
  #bytes = 0;
  #startUs = 0;
  #lastUs = 0;
  #before: KernelStats;
  #ringFullBefore = 0;

  constructor(kernel: Kernel, system: GuestSystem) {
    this.#kernel = kernel;
    this.#args = kernel.args as GuestArgs;
    this.#system = system;
    this.#sampler = new Sampler(kernel);
    this.#before = kernel.stats();
    this.#addr = kernel.pages.allocContiguous(WRITE_BYTES / 4096);
    kernel.loop.addBeforeSleep(() => this.#sample());
    kernel.onHostMessage = (message) => {
      const { type } = message as HostMessage;
      if (type === 'go') this.#connect();
      else if (type === 'idle') this.#idle();
      else if (type === 'report') this.#report();
      else kernel.exit(0);
    };
  }

  /** The network is up. */
  ready(stack: Stack): void {
    this.#stack = stack;
    this.#timerWatch = new TimerWatch(stack.stats());
    const { role, port } = this.#args;
    this.#record(stack);
    if (role === 'receiver') stack.listen({ port, onFlow: (flow) => this.#receiveFrom(flow) });
    this.#post({ type: 'ready' });
  }

  #record(stack: Stack): void {
    const kernel = this.#kernel;
    const { records, port } = this.#args;
    if (records === 0) return;
    const { domid, name, clock } = kernel;
    const source = { id: domid, name, kind: 'domain' } as const;
    this.#recorder = new SourceRecorder({ source, now: () => clock.now(), records });
    kernel.watched.observer = this.#recorder.machine;
    stack.record(this.#recorder, { port });
  }

  #connect(): void {
    const { serverIp, port } = this.#args;
    const flow = this.#stack!.connect({ host: serverIp, port });
    this.#flow = flow;
    flow.onConnect = () => {
      this.#begin();
      this.#sending = true;
      this.#kernel.loop.timers.arm(this.#deadline, this.#startUs + this.#args.durationUs);
      this.#write();
    };
    flow.onWritable = () => this.#write();
  }

  #idle(): void {
    this.#begin();
    this.#kernel.loop.timers.arm(this.#deadline, this.#startUs + this.#args.durationUs);
  }

  #write(): void {
    if (!this.#sending) return;
    for (let writes = 0; writes < WRITES_PER_TURN; writes++) {
      const taken = this.#flow!.writeFrom(this.#addr, WRITE_BYTES);
      this.#bytes += taken;
      if (taken < WRITE_BYTES) return;
    }
    this.#kernel.loop.defer(() => this.#write());
  }

  #receiveFrom(flow: Flow): void {
    this.#flow = flow;
    this.#begin();
    flow.onReadable = () => {
      const nowUs = this.#kernel.clock.now();
      this.#noteArrival(nowUs);
      for (let bytes = flow.peekBytes; bytes > 0; bytes = flow.peekBytes) {
        this.#bytes += bytes;
        flow.consume(bytes);
      }
    };
    flow.onEnd = () => flow.close();
  }

  #noteArrival(nowUs: number): void {
    if (nowUs - this.#lastUs > PAUSE_US && this.#bytes > 0) {
      this.#pauses.push({ fromUs: this.#lastUs, toUs: nowUs });
    }
    this.#lastUs = nowUs;
  }

  #begin(): void {
    this.#startUs = this.#kernel.clock.now();
    this.#lastUs = this.#startUs;
    this.#before = this.#kernel.stats();
    this.#ringFullBefore = this.#system.ringFull();
    this.#bytes = 0;
  }

  /** The sender's time is over: it stops writing, and tells. What is queued goes on until the domain ends. */
  #timeIsUp(): void {
    this.#sending = false;
    this.#report();
  }

  #sample(): void {
    if (this.#startUs === 0) return;
    const nowUs = this.#kernel.clock.now();
    this.#sampler.add(nowUs, this.#progress(), this.#system.txUsed());
    this.#timerWatch?.look(nowUs);
  }

  #progress(): number {
    const flow = this.#flow;
    if (flow === undefined || this.#args.role === 'receiver') return this.#bytes;
    return this.#bytes - flow.unacknowledged;
  }

  #report(): void {
    const { role } = this.#args;
    const endUs = this.#kernel.clock.now();
    // A pause that lasts until the end is one, too.
    if (role === 'receiver' && this.#bytes > 0) this.#noteArrival(endUs);
    this.#sample();
    const info = this.#flow?.info();
    const report: GuestReport = {
      role,
      startUs: this.#startUs,
      endUs,
      bytes: this.#progress(),
      retransmits: info?.tcpi_total_retrans ?? 0,
      unacked: info?.tcpi_unacked ?? 0,
      timeouts: this.#flow?.counters().TCPTimeouts ?? 0,
      timersRan: this.#timerWatch?.ran ?? { retransmissionUs: [], delayedAckUs: [] },
      pauses: this.#pauses,
      lost: this.#system.lost().filter(({ atUs }) => atUs >= this.#startUs),
      ringFull: this.#system.ringFull() - this.#ringFullBefore,
      stats: difference(this.#kernel.stats(), this.#before),
      samples: this.#sampler.take(),
      trace: this.#flow === undefined ? undefined : this.#recorder?.trace(),
    };
    this.#post({ type: 'report', report });
  }

  #post(message: GuestMessage): void {
    this.#kernel.post(message);
  }
}

function difference(after: KernelStats, before: KernelStats): KernelStats {
  const names = Object.keys(after) as (keyof KernelStats)[];
  return Object.fromEntries(names.map((name) => [name, after[name] - before[name]])) as unknown as KernelStats;
}
