/** The image of a domain as it ships, either end: netfront, main loop and stack under the lab's application. */
import type { Kernel } from '@qanat/os';
import { bootStack } from 'qanat';
import type { GuestArgs } from '../protocol.ts';
import { Guest } from './guest.ts';

export function main(kernel: Kernel): void {
  const { tcp, persistentGrants } = kernel.args as GuestArgs;
  const { netfronts } = bootStack(kernel, (stack) => guest.ready(stack), {
    tcp,
    netfront: { persistentGrants },
  });
  const guest = new Guest(kernel, {
    // The machine's auditor throws where a sleep is wrong, so there is nothing to tell here.
    lost: () => [],
    ringFull: () => netfronts.reduce((sum, { counters }) => sum + (counters?.tx.ringFull ?? 0), 0),
    txUsed: () => netfronts[0]?.device?.txSlotsUsed ?? 0,
  });
}
