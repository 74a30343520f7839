import { EINVAL, ESRCH } from './errno.ts';
import {
  channelDomid,
  channelPort,
  channelState,
  EVTCHNSTAT_INTERDOMAIN,
  EVTCHNSTAT_UNBOUND,
  VIRQ_DOM_EXC,
} from './event-channel-layout.ts';
import type { EventChannelStatus } from './event-channels.ts';
import type { GrantMapping, GrantOperations } from './grant-operations.ts';
import type { Hypervisor } from './hypervisor.ts';
import { DOM_CHANNELS, DOM_SHUTDOWN } from './machine-layout.ts';
import { VcpuScheduler, type VirtualCpu } from './scheduler.ts';
import { EVTCHN_PORTS } from './shared-info.ts';

/** How often a domain has called the hypervisor. */
export interface HypercallCounters {
  /** All of them. */
  hypercalls: number;
  evtchnSends: number;
  polls: number;
  blocks: number;
  yields: number;
  grantCopies: number;
  grantMaps: number;
}

/**
 * What a guest may call. Results are those of Xen: 0 or a port, or a negative errno; GNTST_* for grants. `schedBlock`,
 * `schedPoll`, the timers and the grant operations belong to the domain's own CPU; the rest may be called from any
 * thread that stands in for the domain.
 */
export class Hypercalls {
  readonly hypervisor: Hypervisor;
  readonly domid: number;
  readonly counters: HypercallCounters = {
    hypercalls: 0,
    evtchnSends: 0,
    polls: 0,
    blocks: 0,
    yields: 0,
    grantCopies: 0,
    grantMaps: 0,
  };
  readonly #i32: Int32Array;
  readonly #record: number;
  readonly #channels: number;
  readonly #scheduler: VcpuScheduler;
  readonly #grants: GrantOperations;

  /** @throws Error when there is no such domain. */
  constructor(hypervisor: Hypervisor, domid: number) {
    const record = hypervisor.state.aliveRecord(domid);
    if (record === 0) throw new Error(`there is no domain ${domid}`);
    this.hypervisor = hypervisor;
    this.domid = domid;
    this.#i32 = hypervisor.memory.i32;
    this.#record = record;
    this.#channels = this.#i32[(record + DOM_CHANNELS) >>> 2]! >>> 2;
    this.#scheduler = new VcpuScheduler(hypervisor.state, hypervisor.delivery, record);
    this.#grants = hypervisor.grantOperations(domid);
  }

  /** EVTCHNOP_alloc_unbound: a port that `remoteDomid` may bind to. @returns the port, or -ENOSPC, -ESRCH. */
  evtchnAllocUnbound(remoteDomid: number): number {
    this.counters.hypercalls++;
    return this.hypervisor.channels.allocUnbound(this.domid, remoteDomid);
  }

  /** EVTCHNOP_bind_interdomain. @returns the local port, or -ESRCH, -EINVAL (not offered to us), -ENOSPC. */
  evtchnBindInterdomain(remoteDomid: number, remotePort: number): number {
    this.counters.hypercalls++;
    return this.hypervisor.channels.bindInterdomain(this.domid, remoteDomid, remotePort);
  }

  /** EVTCHNOP_bind_virq. @returns the port, or -EINVAL, -EEXIST, -ENOSPC. */
  evtchnBindVirq(virq: number): number {
    this.counters.hypercalls++;
    return this.hypervisor.channels.bindVirq(this.domid, virq);
  }

  /** EVTCHNOP_close. @returns 0, or -EINVAL when the port is not open. */
  evtchnClose(port: number): number {
    this.counters.hypercalls++;
    return this.hypervisor.channels.close(this.domid, port);
  }

  /** EVTCHNOP_send. @returns 0 (also when the other end is not bound yet: dropped), or -EINVAL. */
  evtchnSend(port: number): number {
    const counters = this.counters;
    counters.hypercalls++;
    counters.evtchnSends++;
    if (!(port > 0 && port < EVTCHN_PORTS)) return -EINVAL;
    const word = Atomics.load(this.#i32, this.#channels + port);
    const state = channelState(word);
    if (state === EVTCHNSTAT_INTERDOMAIN) {
      const hypervisor = this.hypervisor;
      const record = hypervisor.state.aliveRecord(channelDomid(word));
      if (record !== 0) hypervisor.delivery.setPending(record, channelPort(word));
      return 0;
    }
    return state === EVTCHNSTAT_UNBOUND ? 0 : -EINVAL;
  }

  /** EVTCHNOP_unmask: unmasks and, where the port is pending, makes the event come again. @returns 0 or -EINVAL. */
  evtchnUnmask(port: number): number {
    this.counters.hypercalls++;
    if (!(port > 0 && port < EVTCHN_PORTS)) return -EINVAL;
    this.hypervisor.delivery.unmask(this.#record, port);
    return 0;
  }

  /** EVTCHNOP_status. @returns undefined for a port that cannot be. */
  evtchnStatus(port: number): EventChannelStatus | undefined {
    this.counters.hypercalls++;
    return this.hypervisor.channels.status(this.domid, port);
  }

  /** SCHEDOP_block: enables upcalls and sleeps until one is due. @returns 0. */
  schedBlock(): number {
    this.counters.hypercalls++;
    this.counters.blocks++;
    return this.#scheduler.block();
  }

  /**
   * SCHEDOP_poll: sleeps until one of `ports[0..count-1]` is pending (masked or not), an unmasked event comes on any
   * port, or the deadline. Clears nothing. On a cooperative CPU it returns at once with `blocked` set.
   * @param deadlineNs absolute ns of machine time, 0 for none. @returns 0 whatever the cause; -EINVAL.
   */
  schedPoll(ports: Int32Array, count: number, deadlineNs: number): number {
    this.counters.hypercalls++;
    this.counters.polls++;
    return this.#scheduler.poll(ports, count, deadlineNs);
  }

  /** SCHEDOP_yield. @returns 0. */
  schedYield(): number {
    this.counters.hypercalls++;
    this.counters.yields++;
    return this.#scheduler.yieldCpu();
  }

  /** SCHEDOP_shutdown: notes why the domain ends (SHUTDOWN_*) and tells Dom0. The kernel stops by itself. @returns 0. */
  schedShutdown(reason: number): number {
    this.counters.hypercalls++;
    if (!(reason >= 0)) return -EINVAL;
    if (this.hypervisor.state.aliveRecord(this.domid) === 0) return -ESRCH;
    Atomics.store(this.#i32, (this.#record + DOM_SHUTDOWN) >>> 2, reason);
    this.hypervisor.sendVirq(0, VIRQ_DOM_EXC);
    return 0;
  }

  /**
   * set_timer_op: the one-shot timer, which raises VIRQ_TIMER. More than 2^50 ns ahead is taken for a mistake and
   * fires in 100 ms. @param deadlineNs absolute, 0 stops it. @returns 0.
   */
  setTimerOp(deadlineNs: number): number {
    this.counters.hypercalls++;
    return this.#scheduler.setTimer(deadlineNs);
  }

  /**
   * Makes the copies that follow one GNTTABOP_copy of many operations: pages that are used again in a row stay claimed.
   * `grantCopyEnd` must follow soon, in the same turn of the domain.
   */
  grantCopyBegin(): void {
    this.#grants.beginCopies();
  }

  grantCopyEnd(): void {
    this.#grants.endCopies();
  }

  /** GNTTABOP_copy of `len` bytes from a foreign page to own memory. @returns GNTST_*. */
  grantCopyIn(domid: number, ref: number, offset: number, dstAddr: number, len: number): number {
    this.counters.hypercalls++;
    this.counters.grantCopies++;
    return this.#grants.copyIn(domid, ref, offset, dstAddr, len);
  }

  /** GNTTABOP_copy of `len` bytes of own memory to a foreign page. @returns GNTST_*. */
  grantCopyOut(srcAddr: number, domid: number, ref: number, offset: number, len: number): number {
    this.counters.hypercalls++;
    this.counters.grantCopies++;
    return this.#grants.copyOut(srcAddr, domid, ref, offset, len);
  }

  /** GNTTABOP_copy of `len` bytes between two foreign pages. @returns GNTST_*. */
  grantCopyAcross(
    srcDomid: number,
    srcRef: number,
    srcOffset: number,
    dstDomid: number,
    dstRef: number,
    dstOffset: number,
    len: number,
  ): number {
    this.counters.hypercalls++;
    this.counters.grantCopies++;
    return this.#grants.copyAcross(srcDomid, srcRef, srcOffset, dstDomid, dstRef, dstOffset, len);
  }

  /** GNTTABOP_map_grant_ref. The page stays mapped (and its owner's memory alive) until `grantUnmap`. */
  grantMap(domid: number, ref: number, readonly: boolean): GrantMapping {
    this.counters.hypercalls++;
    this.counters.grantMaps++;
    return this.#grants.map(domid, ref, readonly);
  }

  /** GNTTABOP_unmap_grant_ref. @returns GNTST_*. */
  grantUnmap(handle: number): number {
    this.counters.hypercalls++;
    return this.#grants.unmap(handle);
  }

  /** The CPU that the domain's vcpu runs on. Set by whoever starts the domain. */
  get cpu(): VirtualCpu | undefined {
    return this.#scheduler.cpu;
  }

  set cpu(cpu: VirtualCpu | undefined) {
    this.#scheduler.cpu = cpu;
  }

  /** Whether the vcpu is blocked: then its kernel must not run on (not a hypercall). */
  get blocked(): boolean {
    return this.#scheduler.blocked;
  }

  /** Index into `memory.i32` of the word that the vcpu's thread waits on, for its CPU. */
  get blockedIndex(): number {
    return this.#scheduler.blockedIndex;
  }

  /** When the vcpu's timers need its CPU next, in ns of machine time, or Infinity (for its CPU; not a hypercall). */
  nextTimerNs(): number {
    return this.#scheduler.nextTimerNs();
  }

  /** Runs the vcpu's timers that are due: its CPU calls this on each pass, and while the vcpu is blocked. */
  runTimers(nowNs: number): void {
    this.#scheduler.runTimers(nowNs);
  }
}
