import type { Kernel } from './kernel.ts';

/**
 * What runs in a domain: a module that exports `main`, or, where domains share a thread, an object with `main`. `main`
 * sets things up and returns; from then on the domain lives in its callbacks, until `kernel.exit`.
 */
export interface Image {
  main(kernel: Kernel): void | Promise<void>;
}

/** @returns whether a value can be run as an image. */
export function isImage(value: unknown): value is Image {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { main?: unknown }).main === 'function'
  );
}
