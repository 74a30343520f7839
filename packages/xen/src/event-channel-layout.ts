/**
 * Event channels: the hypervisor's table of a domain's ports (xen/include/public/event_channel.h,
 * xen/common/event_channel.c). One int32 a port, so that whoever sends reads a binding in one atomic load.
 */

/** States, as `evtchnStatus` shows them (EVTCHNSTAT_*). */
export const EVTCHNSTAT_CLOSED = 0;
export const EVTCHNSTAT_UNBOUND = 1;
export const EVTCHNSTAT_INTERDOMAIN = 2;
export const EVTCHNSTAT_PIRQ = 3;
export const EVTCHNSTAT_VIRQ = 4;
export const EVTCHNSTAT_IPI = 5;

/** Virtual interrupts (xen.h). */
export const VIRQ_TIMER = 0;
export const VIRQ_DEBUG = 1;
export const VIRQ_CONSOLE = 2;
/** A domain was created, has shut down or is gone; Dom0's xenstored and toolstack bind it. */
export const VIRQ_DOM_EXC = 3;
/** Architecture's own: here it says that the host has left a message. */
export const VIRQ_ARCH_0 = 16;
export const NR_VIRQS = 24;

/** "This domain" as a domid argument. */
export const DOMID_SELF = 0x7ff0;

/** Largest number of ports one SCHEDOP_poll takes. */
export const SCHED_POLL_PORTS_MAX = 128;

export const SHUTDOWN_POWEROFF = 0;
export const SHUTDOWN_REBOOT = 1;
export const SHUTDOWN_SUSPEND = 2;
export const SHUTDOWN_CRASH = 3;

/** A port as one int32: state 3 bits, remote domid 15 bits, remote port (or VIRQ) 12 bits. */
export function packChannel(state: number, remoteDomid: number, remotePort: number): number {
  return state | (remoteDomid << 3) | (remotePort << 18);
}

export function channelState(word: number): number {
  return word & 7;
}

export function channelDomid(word: number): number {
  return (word >>> 3) & 0x7fff;
}

export function channelPort(word: number): number {
  return (word >>> 18) & 0xfff;
}
