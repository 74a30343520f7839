/**
 * What recording costs while it is off: `node off.js stripped|again SECONDS WARM_UP_SECONDS`. In one thread, two stacks on a pipe as
 * they are shipped, and two whose modules have no branches that look for an observer (`again`: have them, which shows what chance and a
 * second set of compiled code do), send in turn for a twentieth of a second each. Prints figures as JSON.
 */
import { register } from 'node:module';
import type { Figures } from '../case.ts';
import { median } from '../statistics.ts';
import type { PausedFlow } from './paused-flow.ts';

const SPAN_SECONDS = 0.05;
const WAYS: readonly string[] = ['stripped', 'again'];

const [way, seconds, warmUpSeconds] = [process.argv[2] ?? '', Number(process.argv[3]), Number(process.argv[4])];
if (!(WAYS.includes(way) && seconds > 0 && warmUpSeconds >= 0)) {
  throw new Error('usage: off.js stripped|again SECONDS WARM_UP_SECONDS');
}

register(new URL('./strip-observers.js', import.meta.url));
const [shipped, other] = [await flowOf(''), await flowOf(`?${way}`)];

const [ours, theirs]: [number[], number[]] = [[], []];
const pairs = (length: number): number => Math.max(Math.round(length / (2 * SPAN_SECONDS)), 1);
for (let i = 0; i < pairs(warmUpSeconds); i++) pair(i % 2 === 0);
const ratios = Array.from({ length: pairs(seconds) }, (_, i) => {
  const [us, them] = pair(i % 2 === 0);
  ours.push(us);
  theirs.push(them);
  return us / them;
});
// Last, because what has seen an observer is compiled for one.
if (shipped.observed() === 0 || (other.observed() === 0) !== (way === 'stripped')) {
  throw new Error('what should be without observers is not, or the other way round');
}
const figures: Figures = {
  costPercent: (median(ratios) - 1) * 100,
  nsPerSegment: median(ours),
  otherNsPerSegment: median(theirs),
  pairs: ratios.length,
};
process.stdout.write(`${JSON.stringify(figures)}\n`);

async function flowOf(query: string): Promise<PausedFlow> {
  const { pausedFlow } = (await import(`./paused-flow.js${query}`)) as typeof import('./paused-flow.ts');
  return pausedFlow();
}

/** @returns nanoseconds a segment: as shipped, and of the other. */
function pair(shippedFirst: boolean): [number, number] {
  if (shippedFirst) {
    const us = shipped.run(SPAN_SECONDS);
    return [us, other.run(SPAN_SECONDS)];
  }
  const them = other.run(SPAN_SECONDS);
  return [shipped.run(SPAN_SECONDS), them];
}
