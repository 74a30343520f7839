import { Memory, PAGE_SIZE, type PageAllocator } from '@qanat/bytes';
import { NEVER, seededRandom, Timer, VirtualTime } from '@qanat/clock';
import { createPipe, type Netif } from '@qanat/link';
import { createStack, NetError, type Stack } from '@qanat/stack';
import { auditConnection, type Connection } from '@qanat/tcp';
import { Application } from './application.ts';
import { frameBound, pageBound } from './bounds.ts';
import { Broken, type Invariant } from './invariant.ts';
import { isStrandable, judgeError } from './judge.ts';
import { Meter } from './meter.ts';
import { PoisonedPages } from './poisoned-pages.ts';
import { calmUs, type FlowSpec, type Scenario } from './scenario.ts';
import { Weather } from './weather.ts';

const SECOND = 1_000_000;
const LINK_BYTES = 32 * 1024 * 1024;
const HOST_BYTES = 32 * 1024 * 1024;
/** Longest time without any progress once the weather is calm: more than three of the longest RTOs (120 s). */
const PATIENCE_US = 400 * SECOND;
const LONGEST_RUN_US = 7 * 86_400 * SECOND;
const STEPS_BETWEEN_AUDITS = 8;

/** One memory for all runs of a thread: what a run leaves in it, the next cannot see (PoisonedPages). */
let sharedMemory: Memory | undefined;

/** Puts something between a host and its device, as a capture. */
export type Wrap = (netif: Netif, time: VirtualTime) => Netif;

/** The hosts, the link and the applications of one run. */
export class Simulation {
  readonly scenario: Scenario;
  readonly time = new VirtualTime();
  readonly memory: Memory;
  readonly pages: { readonly link: PageAllocator; readonly a: PageAllocator; readonly b: PageAllocator };
  readonly meters: readonly [Meter, Meter];
  readonly a: Stack;
  readonly b: Stack;
  /** Two for each flow: who opens it, and the other. */
  readonly applications: Application[] = [];
  readonly #freeAtStart: number;
  readonly #calmUs: number;
  readonly #weather: Weather;
  #startsLeft = 0;

  constructor(scenario: Scenario, wrap: Wrap = (netif) => netif) {
    sharedMemory ??= Memory.create({ bytes: PAGE_SIZE + LINK_BYTES + 2 * HOST_BYTES });
    const memory = sharedMemory;
    this.scenario = scenario;
    this.memory = memory;
    this.#calmUs = calmUs(scenario);
    this.pages = {
      link: new PoisonedPages(memory, PAGE_SIZE, LINK_BYTES),
      a: new PoisonedPages(memory, PAGE_SIZE + LINK_BYTES, HOST_BYTES),
      b: new PoisonedPages(memory, PAGE_SIZE + LINK_BYTES + HOST_BYTES, HOST_BYTES),
    };
    this.#freeAtStart = this.#freePages();
    const { time, pages } = this;
    const { clock, timers } = time;
    this.#weather = new Weather(scenario, time);
    const impair = [this.#weather.forth, this.#weather.back] as const;
    const gso = scenario.offload === 'gso';
    const offload = { checksum: gso || scenario.offload === 'checksum', gso };
    const { mtu, ringFrames } = scenario;
    const ring = ringFrames === undefined ? {} : { ringFrames };
    const [left, right] = createPipe({ memory, pages: pages.link, clock, timers, mtu, impair, offload, ...ring });
    this.meters = [new Meter(wrap(left, time)), new Meter(wrap(right, time))];
    const host = { memory, clock, timers };
    const { seed } = scenario;
    this.a = createStack({ ...host, pages: pages.a, random: seededRandom(seed + 2 ** 35), name: 'a' });
    this.b = createStack({ ...host, pages: pages.b, random: seededRandom(seed + 2 ** 36), name: 'b' });
    this.a.addInterface(this.meters[0], { address: '10.0.0.1/24' });
    this.b.addInterface(this.meters[1], { address: '10.0.0.2/24' });
    for (const [index, flow] of scenario.flows.entries()) this.#prepare(flow, index);
  }

  /** Frames that the hosts sent. */
  get frames(): number {
    return this.meters[0].frames + this.meters[1].frames;
  }

  /** Bytes that applications read. */
  get bytes(): number {
    return this.applications.reduce((sum, application) => sum + application.read, 0);
  }

  fail(invariant: Invariant, message: string): never {
    throw new Broken(invariant, message);
  }

  /** Runs until every connection is gone and everything was given back. @throws Broken */
  run(): void {
    const { time } = this;
    let steps = 0;
    let mark = '';
    let markUs = 0;
    while (!this.#isQuiet()) {
      if (!time.step() && !this.#releaseStranded()) {
        this.fail('progress', `nobody waits for anything, and not all is over (${this.#describe()})`);
      }
      if (++steps % STEPS_BETWEEN_AUDITS === 0) this.#audit();
      const nowUs = time.clock.now();
      if (nowUs - markUs < PATIENCE_US) continue;
      if (nowUs > LONGEST_RUN_US) this.fail('progress', `not over after ${LONGEST_RUN_US / SECOND} s`);
      const now = this.#progress();
      if (now === mark && markUs > this.#calmUs && !this.#releaseStranded()) this.#stalled(markUs);
      mark = now;
      markUs = nowUs;
    }
    // What is told after the last call of an application has its own turn.
    time.run(time.clock.now());
    this.#audit();
    this.#checkEnd();
  }

  // --- Flows ---------------------------------------------------------------------------------------------------

  #prepare(flow: FlowSpec, index: number): void {
    const { memory, time, scenario } = this;
    const fail = (invariant: Invariant, message: string): never => this.fail(invariant, message);
    const [opener, other] = flow.ends.map((spec, i) => {
      const host = (i === 0) === (flow.from === 'a') ? 'a' : 'b';
      const salt = Math.imul(scenario.seed ^ (index * 2 + i + 1), 0x85eb_ca6b);
      return new Application(`flow ${index} at ${host}`, spec, salt, memory, time, fail);
    }) as [Application, Application];
    opener.peer = other;
    other.peer = opener;
    this.applications.push(opener, other);
    const [near, far] = flow.from === 'a' ? [this.a, this.b] : [this.b, this.a];
    const port = 5000 + index;
    if (!flow.simultaneous) {
      far.listen({
        port,
        tcp: other.spec.tcp,
        onFlow: (accepted) => {
          // A SYN that comes again with its data is a new one to a host that has forgotten the first (RFC 7413 section 2.1).
          if (other.closed && other.spec.tcp.fastOpenServer) {
            accepted.reset();
            return;
          }
          if (other.flow !== undefined) this.fail('exact', `${other.name} was accepted twice`);
          other.take(accepted, true, flow.startUs);
        },
      });
    }
    this.#startsLeft++;
    const timer = new Timer(() => {
      this.#startsLeft--;
      const localPort = flow.simultaneous ? 6000 + index : 0;
      this.#open(near, opener, port, localPort, flow.startUs);
      if (flow.simultaneous) this.#open(far, other, localPort, port, flow.startUs);
    });
    time.timers.arm(timer, flow.startUs);
  }

  #open(stack: Stack, application: Application, port: number, localPort: number, startUs: number): void {
    const host = stack === this.a ? '10.0.0.2' : '10.0.0.1';
    try {
      const first = application.firstData();
      const { tcp } = application.spec;
      const options = { host, port, localPort, tcp, ...(first && { fastOpenData: first }) };
      application.take(stack.connect(options), false, startUs);
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      application.refuse(error);
    }
  }

  /** Whether every application is through and every connection gone. */
  #isQuiet(): boolean {
    return this.#startsLeft === 0 && this.#connections === 0 && this.#isOver();
  }

  get #connections(): number {
    return this.a.tcp.connectionCount + this.b.tcp.connectionCount;
  }

  #isOver(): boolean {
    return this.applications.every((application) => application.over);
  }

  /** Ends that wait for a peer which is gone, and have nothing to tell it: only an application's timeout helps. */
  #releaseStranded(): boolean {
    let released = false;
    for (const application of this.applications) {
      if (application.over || !isStrandable(application)) continue;
      application.giveUp();
      released = true;
    }
    return released;
  }

  // --- Invariants ----------------------------------------------------------------------------------------------

  #audit(): void {
    for (const stack of [this.a, this.b]) {
      for (const c of stack.tcp.awakeConnections) {
        const wrong = auditConnection(c);
        if (wrong !== undefined) this.fail('audit', `${stack.name}, ${c.stateName}: ${wrong}`);
      }
      const pages = this.pages[stack.name as 'a' | 'b'];
      const used = pages.frameCount - pages.freePages;
      const bound = pageBound(this.scenario, stack.name as 'a' | 'b');
      if (used > bound) this.fail('memory', `${stack.name} has ${used} pages, its connections may have ${bound}`);
    }
    const bound = frameBound(this.scenario, this.time.clock.now());
    if (this.frames > bound) {
      this.fail('storm', `${this.frames} frames, ${this.bytes} bytes arrived; ${Math.round(bound)} frames do`);
    }
  }

  /** Whatever moves when there is progress, as one text. */
  #progress(): string {
    const parts: (number | string)[] = [];
    for (const application of this.applications) parts.push(application.moved, application.over ? 1 : 0);
    for (const stack of [this.a, this.b]) {
      for (const c of stack.tcp.awakeConnections) parts.push(c.state, c.bytesAcked, c.bytesReceived);
    }
    return parts.join();
  }

  #stalled(sinceUs: number): never {
    if (this.#isOver()) this.fail('left', `connections of closed flows stay: ${this.#describe()}`);
    this.fail('progress', `nothing moves since ${sinceUs / SECOND} s: ${this.#describe()}`);
  }

  #describe(): string {
    const states: string[] = [];
    for (const stack of [this.a, this.b]) {
      for (const c of stack.tcp.awakeConnections) states.push(`${stack.name} ${describe(c)}`);
    }
    for (const { name, over, read, written } of this.applications) {
      if (!over) states.push(`${name} waits, has read ${read} and written ${written}`);
    }
    return states.join('; ');
  }

  #checkEnd(): void {
    const { applications, a, b, time } = this;
    for (const application of applications) {
      const wrong = judgeError(application, this.scenario);
      if (wrong !== undefined) this.fail('reported', wrong);
      const recorder = application.flow?.getLogDumpCopy().length ?? 0;
      if (recorder > 2 * (application.spec.logRecords ?? 0)) {
        this.fail('memory', `${application.name} holds ${recorder} records of ${application.spec.logRecords}`);
      }
    }
    for (const stack of [a, b]) {
      const flows = [...stack.flows].length;
      if (flows > 0) this.fail('left', `${stack.name} still lists ${flows} flows`);
    }
    this.#weather.stop();
    a.close();
    b.close();
    if (time.timers.size > 0) this.fail('left', `${time.timers.size} timers are armed after everything was closed`);
    const missing = this.#freeAtStart - this.#freePages();
    if (missing !== 0) this.fail('memory', `${missing} pages did not come back`);
  }

  #freePages(): number {
    const { link, a, b } = this.pages;
    return link.freePages + a.freePages + b.freePages;
  }
}

function describe(c: Connection): string {
  const rto = c.rtoAtUs === NEVER ? 'no RTO' : `RTO at ${(c.rtoAtUs / SECOND).toFixed(1)} s`;
  return `${c.stateName}: ${c.rtx.packetsOut} segments out, ${c.snd.bytes} bytes queued, window ${c.sndWnd}, ${rto}`;
}
