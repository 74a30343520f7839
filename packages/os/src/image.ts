import type { Kernel } from './kernel.ts';
import type { LoopFactory } from './kernel-loop.ts';

/**
 * What runs in a domain: a module that exports `main`, or, where domains share a thread, an object with `main`. `main`
 * sets things up and returns; from then on the domain lives in its callbacks, until `kernel.exit`.
 */
export interface Image {
  main(kernel: Kernel): void | Promise<void>;
  /** Makes another loop than the shipped one for the domain: an operating system of its own, for study. */
  readonly createLoop?: LoopFactory;
}

/** @returns whether a value can be run as an image. */
export function isImage(value: unknown): value is Image {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { main?: unknown }).main === 'function'
  );
}

/** @returns the URL of an image that is given as URL, as its text, or as an absolute path. */
export function imageHref(image: URL | string): string {
  if (typeof image !== 'string') return image.href;
  // One letter is a drive, not a scheme.
  if (/^[a-z][a-z0-9+.-]+:/i.test(image)) return image;
  const path = image.replaceAll('\\', '/');
  return `file://${path.startsWith('/') ? '' : '/'}${encodeURI(path).replace(/[?#]/g, encodeURIComponent)}`;
}
