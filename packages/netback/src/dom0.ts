import type { Kernel } from '@qanat/os';
import { type ToolstackLink, Xenstored } from '@qanat/xen';
import type { NetbackConfig } from './config.ts';
import { Dom0Service } from './dom0-service.ts';
import { Netback } from './netback.ts';

/** What Dom0's builder gives to its image (`kernel.args`). */
export interface Dom0Args {
  /** Where the toolstack reaches xenstored. */
  readonly toolstack?: ToolstackLink;
  /** What the machine's builder gave: tunables of the backends. */
  readonly args?: Partial<NetbackConfig> | undefined;
}

/**
 * The image of Dom0: xenstored, the network backends, and their bridges. It answers the host's messages (`Dom0Request`)
 * with messages (`Dom0Message`).
 * @throws Error when it does not run in domain 0.
 */
export function main(kernel: Kernel): void {
  const { toolstack, args } = (kernel.args ?? {}) as Dom0Args;
  const xenstored = Xenstored.start(kernel, toolstack);
  kernel.loop.addAudit('xenstored', () => {
    const { unreadBytes } = xenstored;
    return unreadBytes > 0 ? `${unreadBytes} bytes of requests were not read` : undefined;
  });
  const netback = new Netback(kernel, {
    ...args,
    onError: (message) => {
      kernel.console.write(`netback: ${message}\n`);
      service.report(message);
    },
  });
  const service = new Dom0Service(kernel, netback);
}
