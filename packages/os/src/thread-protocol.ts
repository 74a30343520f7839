import type { MemoryHandle } from '@qanat/bytes';
import type { ResolvedDomainConfig } from '@qanat/xen';

/** What a domain's thread is given when it starts. */
export interface ThreadStart {
  readonly memory: MemoryHandle;
  readonly domid: number;
  readonly config: ResolvedDomainConfig;
  /** URL of the module. */
  readonly image: string;
  readonly args: unknown;
  readonly seed: number | undefined;
  readonly audit: boolean;
  readonly spinUs: number;
}

/** What a domain's thread tells the host. */
export type ThreadMessage =
  | { readonly type: 'message'; readonly message: unknown }
  | {
      readonly type: 'exit';
      readonly code: number;
      readonly error?: { readonly message: string; readonly stack: string };
    };

/** @returns an exception as it is reported. */
export function describeError(error: unknown): { message: string; stack: string } {
  if (error instanceof Error)
    return { message: error.message, stack: error.stack ?? `${error.name}: ${error.message}` };
  return { message: String(error), stack: String(error) };
}

/** @returns the built file of a module that lies in a package's `src` (threads run no TypeScript), else `url` itself. */
export function builtUrl(url: string): string {
  return url.endsWith('.ts') ? url.replace(/\/src\/(?!.*\/src\/)/, '/dist/').replace(/\.ts$/, '.js') : url;
}
