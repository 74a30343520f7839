import { type Memory, PAGE_SHIFT, PAGE_SIZE } from '@qanat/bytes';
import type { Clock } from '@qanat/clock';
import { buildDomain, writePorts } from './domain-builder.ts';
import { type DomainRecord, readDomain } from './domain-record.ts';
import { VIRQ_DOM_EXC } from './event-channel-layout.ts';
import { EventChannels } from './event-channels.ts';
import { EventDelivery } from './event-delivery.ts';
import { FrameTable } from './frame-table.ts';
import { GrantOperations } from './grant-operations.ts';
import {
  DOM_BYTES,
  DOM_COPYING,
  DOM_FIRST,
  DOM_FOREIGN_MAPS,
  DOM_STATE,
  DOMAIN_ALIVE,
  DOMAIN_BUILDING,
  DOMAIN_DYING,
  DOMAIN_FREE,
  DOMAIN_ZOMBIE,
  FRAME_TABLE_ADDR,
  FRAME_XEN,
  MACHINE_ADDR,
  MACHINE_CLOCK_ORIGIN_US,
  MACHINE_DOMAIN_LOCK,
  MACHINE_EVENT_LOCK,
  MACHINE_FIRST_FRAME,
  MACHINE_FRAMES,
  MACHINE_GRANT_LOCK,
  MACHINE_MAGIC,
  MACHINE_MAGIC_VALUE,
  MACHINE_NEXT_DOMID,
  MACHINE_VERSION,
  MACHINE_VERSION_VALUE,
  MAX_DOMAINS,
  VCPU_AFFINITY,
  VCPU_BLOCKED,
} from './machine-layout.ts';
import { MachineState } from './machine-state.ts';
import { acquireLock, breakLock, pause, releaseLock } from './spin-lock.ts';

const DOMAIN_LOCK = (MACHINE_ADDR + MACHINE_DOMAIN_LOCK) >>> 2;
/** Tag of the host (the toolstack, not a domain) as a holder of locks. */
const HOST_HOLDER = 0x1_0000;

export interface HypervisorOptions {
  /** The reading of `RealClock.hostNowUs()` that is machine time 0. */
  readonly clockOriginUs: number;
  /** Machine time, where it is not the host's (virtual time). */
  readonly clock?: Clock;
}

export interface CreateDomainOptions {
  /** For messages only. */
  readonly name: string;
  /** Size of the memory that the domain gets for itself, rounded up to pages; its shared pages come on top. */
  readonly bytes: number;
  /** Default: the next free one; the first domain of a machine is Dom0. */
  readonly domid?: number;
  /** The CPU of the host that its vcpu is kept to; others that are kept there are its neighbours. */
  readonly affinity?: number | undefined;
}

/**
 * The machine: what Xen and its domain builder do. All its state lies in machine memory, and each thread has a
 * `Hypervisor` of its own over it: a hypercall runs in the thread that makes it.
 */
export class Hypervisor {
  readonly memory: Memory;
  readonly clockOriginUs: number;
  /** Machine time. */
  readonly clock: Clock;
  /** @internal */
  readonly state: MachineState;
  /** @internal */
  readonly frames: FrameTable;
  readonly delivery: EventDelivery;
  readonly channels: EventChannels;

  private constructor(state: MachineState) {
    this.state = state;
    this.memory = state.memory;
    this.clockOriginUs = state.clockOriginUs;
    this.clock = state.clock;
    this.frames = new FrameTable(state);
    this.delivery = new EventDelivery(state);
    this.channels = new EventChannels(state, this.delivery);
  }

  /** Makes a machine of a zeroed memory. @throws RangeError when the memory is too small for its own tables. */
  static create(memory: Memory, options: HypervisorOptions): Hypervisor {
    const frames = memory.bytes >>> PAGE_SHIFT;
    const firstFrame = (FRAME_TABLE_ADDR + frames * 2 + PAGE_SIZE - 1) >>> PAGE_SHIFT;
    if (frames <= firstFrame) throw new RangeError(`a machine needs more than ${memory.bytes} bytes of memory`);
    const { u32 } = memory;
    const header = MACHINE_ADDR >>> 2;
    u32[header + (MACHINE_FRAMES >>> 2)] = frames;
    u32[header + (MACHINE_FIRST_FRAME >>> 2)] = firstFrame;
    memory.f64[(MACHINE_ADDR + MACHINE_CLOCK_ORIGIN_US) >>> 3] = options.clockOriginUs;
    memory.u16.fill(FRAME_XEN, FRAME_TABLE_ADDR >>> 1, (FRAME_TABLE_ADDR >>> 1) + firstFrame);
    u32[header + (MACHINE_VERSION >>> 2)] = MACHINE_VERSION_VALUE;
    u32[header + (MACHINE_MAGIC >>> 2)] = MACHINE_MAGIC_VALUE;
    return new Hypervisor(new MachineState(memory, options.clock));
  }

  /**
   * The machine that is in this memory already. @param clock as given to `create`, for machines on virtual time.
   * @throws Error when there is none.
   */
  static attach(memory: Memory, clock?: Clock): Hypervisor {
    return new Hypervisor(new MachineState(memory, clock));
  }

  /** Test hook: called at the step points of event channels and sched operations made through this object. */
  get step(): ((point: string) => void) | undefined {
    return this.state.step;
  }

  set step(hook: ((point: string) => void) | undefined) {
    this.state.step = hook;
  }

  /** Called when a call through this object made a blocked vcpu runnable: how a cooperative scheduler learns of it. */
  get onWake(): ((domid: number) => void) | undefined {
    return this.state.onWake;
  }

  set onWake(hook: ((domid: number) => void) | undefined) {
    this.state.onWake = hook;
  }

  /** Nanoseconds of machine time. */
  nowNs(): number {
    return this.state.nowNs();
  }

  /** Bytes that no domain has. */
  get freeBytes(): number {
    return this.frames.freeFrames * PAGE_SIZE;
  }

  /**
   * Makes a domain: its memory, shared info, start info, grant table, xenstore and console pages, whose ports are
   * offered to Dom0. Its vcpu is not started. Raises VIRQ_DOM_EXC.
   * @returns its domid. @throws RangeError when memory or domids run out, or the domid is taken.
   */
  createDomain(options: CreateDomainOptions): number {
    const pages = Math.ceil(options.bytes / PAGE_SIZE);
    if (!(pages > 0)) throw new RangeError(`domain ${options.name}: ${options.bytes} bytes of memory`);
    const { i32 } = this.memory;
    acquireLock(i32, DOMAIN_LOCK, HOST_HOLDER);
    let domid = -1;
    let built = false;
    try {
      domid = this.#freeDomid(options.domid);
      if (domid >= 0) built = buildDomain(this.state, this.frames, domid, pages);
    } finally {
      releaseLock(i32, DOMAIN_LOCK);
    }
    if (domid < 0) throw new RangeError(`domain ${options.name}: no free domid`);
    const record = this.state.recordAddr(domid);
    const stateIndex = (record + DOM_STATE) >>> 2;
    if (!built) {
      Atomics.store(i32, stateIndex, DOMAIN_FREE);
      throw new RangeError(`domain ${options.name}: no ${pages * 4} KiB of machine memory in one piece`);
    }
    Atomics.store(i32, (record + VCPU_AFFINITY) >>> 2, options.affinity === undefined ? 0 : options.affinity + 1);
    Atomics.store(i32, stateIndex, DOMAIN_ALIVE);
    this.#offerPorts(domid);
    this.channels.sendVirq(0, VIRQ_DOM_EXC);
    return domid;
  }

  /**
   * The thread of a domain has ended, and may have been stopped anywhere: nobody is to wait for a lock that it held, or for
   * a copy that it had begun. To be called as soon as that is known, and of several that have ended before any is destroyed.
   */
  threadEnded(domid: number): void {
    const record = this.state.recordAddr(domid);
    if (record === 0) return;
    const { i32 } = this.memory;
    for (const lock of [MACHINE_EVENT_LOCK, MACHINE_GRANT_LOCK, MACHINE_DOMAIN_LOCK]) {
      breakLock(i32, (MACHINE_ADDR + lock) >>> 2, domid + 1);
    }
    Atomics.store(i32, (record + DOM_COPYING) >>> 2, 0);
    // What it was about to bury.
    for (let zombie = 0; zombie < MAX_DOMAINS; zombie++) this.#bury(zombie, HOST_HOLDER);
  }

  /**
   * Takes a domain apart: closes its ports, drops its maps, revokes its grants, frees its memory (once nobody maps any
   * of it). Its thread must have ended. A domid without a domain is ignored. Raises VIRQ_DOM_EXC.
   */
  destroyDomain(domid: number): void {
    const { i32 } = this.memory;
    const record = this.state.recordAddr(domid);
    if (record === 0) return;
    const stateIndex = (record + DOM_STATE) >>> 2;
    if (Atomics.compareExchange(i32, stateIndex, DOMAIN_ALIVE, DOMAIN_DYING) !== DOMAIN_ALIVE) return;
    this.threadEnded(domid);
    this.channels.closeAll(domid);
    this.grantOperations(domid).unmapAll();
    this.#awaitCopies(domid);
    // A map that was under way has been counted when this lock is ours.
    const grantLock = (MACHINE_ADDR + MACHINE_GRANT_LOCK) >>> 2;
    acquireLock(i32, grantLock, HOST_HOLDER);
    Atomics.store(i32, stateIndex, DOMAIN_ZOMBIE);
    releaseLock(i32, grantLock);
    this.#bury(domid, HOST_HOLDER);
    this.channels.sendVirq(0, VIRQ_DOM_EXC);
  }

  /** @returns where a domain's things are, or undefined where there is none. */
  domain(domid: number): DomainRecord | undefined {
    return readDomain(this.state, domid);
  }

  /** @returns where, in 32-bit words, VCPU_BLOCKED lies of each other vcpu that is kept to the same CPU of the host. */
  cpuNeighbours(domid: number): number[] {
    const affinityOf = (other: number): number =>
      Atomics.load(this.memory.i32, (this.state.recordAddr(other) + VCPU_AFFINITY) >>> 2);
    const affinity = affinityOf(domid);
    if (affinity === 0) return [];
    return this.domids()
      .filter((other) => other !== domid && affinityOf(other) === affinity)
      .map((other) => (this.state.recordAddr(other) + VCPU_BLOCKED) >>> 2);
  }

  /** Domids of the domains that exist, ascending. */
  domids(): number[] {
    const domids: number[] = [];
    for (let domid = 0; domid < MAX_DOMAINS; domid++) {
      if (this.state.aliveRecord(domid) !== 0) domids.push(domid);
    }
    return domids;
  }

  /** Raises a VIRQ in a domain. @returns whether the domain has bound it. */
  sendVirq(domid: number, virq: number): boolean {
    return this.channels.sendVirq(domid, virq);
  }

  /** Makes a domain's vcpu run if it is blocked (it will find no event). */
  wake(domid: number): void {
    const record = this.state.aliveRecord(domid);
    if (record !== 0) this.delivery.unblock(record);
  }

  /** @internal The grant operations that a domain makes. */
  grantOperations(domid: number): GrantOperations {
    return new GrantOperations(this.state, this.frames, domid, (owner) => this.#bury(owner, domid + 1));
  }

  #freeDomid(wanted: number | undefined): number {
    const { i32 } = this.memory;
    const nextIndex = (MACHINE_ADDR + MACHINE_NEXT_DOMID) >>> 2;
    const start = wanted ?? i32[nextIndex]!;
    for (let i = 0; i < MAX_DOMAINS; i++) {
      const domid = (start + i) % MAX_DOMAINS;
      const record = this.state.recordAddr(domid);
      if (
        record !== 0 &&
        Atomics.compareExchange(i32, (record + DOM_STATE) >>> 2, DOMAIN_FREE, DOMAIN_BUILDING) === DOMAIN_FREE
      ) {
        // Like Xen: domids go up and come again late. Never back to Dom0's.
        if (wanted === undefined) i32[nextIndex] = domid + 1 < MAX_DOMAINS ? domid + 1 : 1;
        return domid;
      }
      if (wanted !== undefined) break;
    }
    return -1;
  }

  #offerPorts(domid: number): void {
    const record = this.state.recordAddr(domid);
    const xenstorePort = this.channels.allocUnbound(domid, 0);
    const consolePort = this.channels.allocUnbound(domid, 0);
    writePorts(this.state, record, xenstorePort, consolePort);
  }

  /** Waits until no copy that may have begun before the domain was marked as dying is under way. */
  #awaitCopies(dying: number): void {
    const { i32 } = this.memory;
    for (let domid = 0; domid < MAX_DOMAINS; domid++) {
      if (domid === dying || this.state.aliveRecord(domid) === 0) continue;
      const copying = (this.state.recordAddr(domid) + DOM_COPYING) >>> 2;
      while (Atomics.load(i32, copying) !== 0) pause(i32, copying);
    }
  }

  /** Frees what a dead domain has left, once nobody maps any of it. A thread that is stopped in here can be made good for. */
  #bury(domid: number, holder: number): void {
    const { i32 } = this.memory;
    const record = this.state.recordAddr(domid);
    const stateIndex = (record + DOM_STATE) >>> 2;
    const isDue = (): boolean =>
      Atomics.load(i32, stateIndex) === DOMAIN_ZOMBIE && Atomics.load(i32, (record + DOM_FOREIGN_MAPS) >>> 2) === 0;
    if (!isDue()) return;
    acquireLock(i32, DOMAIN_LOCK, holder);
    if (isDue()) {
      this.frames.free(i32[(record + DOM_FIRST) >>> 2]!, i32[(record + DOM_BYTES) >>> 2]! >>> PAGE_SHIFT);
      Atomics.store(i32, stateIndex, DOMAIN_FREE);
    }
    releaseLock(i32, DOMAIN_LOCK);
  }
}
