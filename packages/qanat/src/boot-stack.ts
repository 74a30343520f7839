import type { Netif } from '@qanat/link';
import { createNetfront, type Netfront, type NetfrontConfig } from '@qanat/netfront';
import type { Kernel } from '@qanat/os';
import { createStack, type Stack, type StackOptions } from '@qanat/stack';
import { auditConnection } from '@qanat/tcp';

export interface BootOptions extends Pick<StackOptions, 'tcp' | 'ipv4' | 'arp'> {
  readonly netfront?: Partial<NetfrontConfig>;
  /** Stands between a vif's device and the stack: a capture, for instance. */
  readonly wrap?: (netif: Netif, index: number) => Netif;
  /** A vif cannot be used (any more). Default: the error is thrown, and the domain ends. */
  readonly onError?: (error: Error) => void;
}

/** The stack of a domain and the frontends of its vifs. */
export interface BootedStack {
  readonly stack: Stack;
  readonly netfronts: readonly Netfront[];
}

/**
 * Brings up the network of a domain: the frontend of every vif of its configuration, and a stack with an interface for
 * each that has an address.
 * @param onReady called once when all of them are connected; at once, in a later pass, where there is none.
 */
export function bootStack(kernel: Kernel, onReady: (stack: Stack) => void, options: BootOptions = {}): BootedStack {
  const { memory, pages, clock, random, loop, name, config } = kernel;
  const { netfront, wrap, onError, ...tunables } = options;
  const stack = createStack({ memory, pages, clock, timers: loop.timers, random, name, ...tunables });
  loop.addAudit('stack', () => auditStack(stack));
  let left = config.vifs.length;
  if (left === 0) loop.defer(() => onReady(stack));
  const fail =
    onError ??
    ((error: Error) => {
      throw error;
    });
  const netfronts = config.vifs.map(({ index, ip, gateway }) =>
    createNetfront(
      kernel,
      index,
      (netif) => {
        if (ip !== undefined) {
          const address = { address: ip, ...(gateway === undefined ? {} : { gateway }), name: `eth${index}` };
          stack.addInterface(wrap?.(netif, index) ?? netif, address);
        }
        if (--left === 0) onReady(stack);
      },
      { ...netfront, onError: fail },
    ),
  );
  return { stack, netfronts };
}

function auditStack(stack: Stack): string | undefined {
  for (const connection of stack.tcp.awakeConnections) {
    const fault = auditConnection(connection);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
