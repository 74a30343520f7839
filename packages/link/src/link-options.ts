import { seededRandom } from '@qanat/clock';
import { Impairment, type ImpairmentOptions } from './impairment.ts';

/** What is wrong with a direction of a link, and the seed of its chance (default 1). */
export interface SeededImpairment extends ImpairmentOptions {
  readonly seed?: number;
}

/** Frames that a port may have on the way: as many as a Xen netif ring of one page holds. */
export const RING_FRAMES = 256;
/** The same for an impaired link, which also holds what is in its queue and in flight; buffers are taken as needed. */
export const IMPAIRED_RING_FRAMES = 4096;

/** A locally administered unicast address for end `index` of a link. */
export function linkMac(index: number): Uint8Array {
  const n = index + 1;
  return new Uint8Array([2, 0, n >>> 24, n >>> 16, n >>> 8, n]);
}

/**
 * @returns what a direction's options ask for; undefined when the link is perfect. Directions differ in their chance.
 * An Impairment is taken as it is, so that its maker can change it during the run.
 */
export function createImpairment(
  options: SeededImpairment | Impairment | undefined,
  direction: number,
): Impairment | undefined {
  if (options === undefined || options instanceof Impairment) return options;
  return new Impairment(options, seededRandom((options.seed ?? 1) + direction * 2 ** 32));
}
