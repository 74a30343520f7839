import type { Kernel } from '@qanat/os';
import { createStack, type Stack } from '@qanat/stack';
import type { TcpConfig } from '@qanat/tcp';
import type { LostWakeup } from '../protocol.ts';
import { Loop2013 } from './main-loop.ts';
import { type DriverState, type Netif2013, plug2013 } from './netif.ts';

/** A sleep with a fault counts when it lasts this long: a peer may have been about to notify. In microseconds. */
const LOST_AFTER_US = 20_000;

export interface Boot2013 {
  readonly stack: Stack;
  readonly loop: Loop2013;
  netif: Netif2013 | undefined;
  /** Sleeps that began with work left and went on. */
  readonly lost: LostWakeup[];
}

/**
 * Brings up the network of a domain with the driver of 2013 under its loop: the image's `createLoop` must have made one.
 * @param masked the patch of the mail: the ports of the vif and of the console are masked and stay so.
 */
export function boot2013(
  kernel: Kernel,
  masked: boolean,
  tcp: Partial<TcpConfig>,
  onReady: (stack: Stack) => void,
): Boot2013 {
  const { loop, memory, pages, clock, random, name } = kernel;
  if (!(loop instanceof Loop2013)) throw new Error('the driver of 2013 needs the loop of 2013');
  const stack = createStack({ memory, pages, clock, timers: loop.timers, random, name, tcp });
  const booted: Boot2013 = { stack, loop, netif: undefined, lost: [] };
  if (masked) kernel.activations.mask(kernel.domain.consolePort);
  booted.netif = plug2013(kernel, loop.waiters, masked, (netif) => {
    stack.addInterface(netif, { address: kernel.config.vifs[0]!.ip!, name: netif.name });
    onReady(stack);
  });
  watchSleeps(kernel, loop, booted);
  return booted;
}

/** Has the auditor look at every sleep, and keeps what it saw where the sleep turns out to be a stall. */
function watchSleeps(kernel: Kernel, loop: Loop2013, booted: Boot2013): void {
  let faults: readonly string[] = [];
  let state: DriverState | undefined;
  let events = '';
  loop.onSleep = () => {
    const violation = kernel.sleepViolation();
    faults = violation?.faults ?? [];
    if (violation === undefined) return;
    kernel.tellViolation(violation);
    events = violation.events;
    state = booted.netif?.state();
  };
  loop.onWake = ({ atUs, wokeUs, port }) => {
    if (faults.length === 0 || wokeUs - atUs < LOST_AFTER_US || state === undefined) return;
    booted.lost.push({ domain: kernel.name, atUs, wokeUs, wokeBy: port, faults, events, state });
  };
}
