/** The image of a domain of 2013, either end: the driver and the loop of the time under the lab's application. */
import type { Kernel, LoopParts } from '@qanat/os';
import { boot2013 } from '../historical/boot.ts';
import { Loop2013 } from '../historical/main-loop.ts';
import type { GuestArgs } from '../protocol.ts';
import { Guest } from './guest.ts';

export function createLoop(parts: LoopParts): Loop2013 {
  return new Loop2013(parts);
}

export function main(kernel: Kernel): void {
  const { masked, tcp } = kernel.args as GuestArgs;
  const booted = boot2013(kernel, masked, tcp, (stack) => guest.ready(stack));
  const guest = new Guest(kernel, {
    lost: () => booted.lost,
    ringFull: () => booted.netif?.tx.waits ?? 0,
    txUsed: () => booted.netif?.tx.used ?? 0,
  });
}
