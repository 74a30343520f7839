import type { ImpairmentOptions } from '@qanat/link';
import type { Disturbance, EndSpec, FlowSpec, Scenario } from './scenario.ts';
import { type Failure, simulate } from './simulate.ts';

export interface Shrunk {
  readonly scenario: Scenario;
  readonly failure: Failure;
  /** Runs that it took. */
  readonly runs: number;
}

export interface ShrinkOptions {
  /** Runs at most. Default 3000. */
  readonly runs?: number;
  /** Wall-clock milliseconds at most, by `performance.now`. Default 60 s. */
  readonly ms?: number;
  /** Default: `simulate`. */
  readonly run?: (scenario: Scenario) => Failure | undefined;
}

/**
 * Makes a failing scenario smaller while it still breaks the same invariant: one thing is left out or made simpler at a
 * time, until nothing more can be.
 */
export function shrink(scenario: Scenario, failure: Failure, options: ShrinkOptions = {}): Shrunk {
  const { runs: most = 3000, ms = 60_000, run = (candidate) => simulate(candidate).failure } = options;
  const untilMs = performance.now() + ms;
  let runs = 0;
  let best = { scenario, failure };
  for (let again = true; again; ) {
    again = false;
    for (const candidate of simpler(best.scenario)) {
      if (runs >= most || performance.now() >= untilMs) return { ...best, runs };
      runs++;
      const found = run(candidate);
      if (found?.invariant !== failure.invariant) continue;
      best = { scenario: candidate, failure: found };
      again = true;
      break;
    }
  }
  return { ...best, runs };
}

/** Scenarios that are a little simpler, the largest steps first. */
function* simpler(s: Scenario): Generator<Scenario> {
  if (s.flows.length > 1) for (const flows of without(s.flows)) yield { ...s, flows };
  for (const disturbances of without(s.disturbances)) yield { ...s, disturbances };
  for (const flows of each(s.flows, simplerFlow)) yield { ...s, flows };
  for (const disturbances of each(s.disturbances, simplerDisturbance)) yield { ...s, disturbances };
  if (JSON.stringify(s.forth) !== JSON.stringify(s.back)) {
    yield { ...s, back: s.forth };
    yield { ...s, forth: s.back };
    for (const forth of simplerLink(s.forth)) yield { ...s, forth };
    for (const back of simplerLink(s.back)) yield { ...s, back };
  } else {
    for (const link of simplerLink(s.forth)) yield { ...s, forth: link, back: link };
  }
  const { offload, ...plain } = s;
  if (offload !== undefined) yield plain;
  const { ringFrames, ...roomy } = s;
  if (ringFrames !== undefined) yield roomy;
  if (s.mtu !== 1500) yield { ...s, mtu: 1500 };
  if (s.seed !== 1) yield { ...s, seed: 1 };
}

function* simplerFlow(flow: FlowSpec): Generator<FlowSpec> {
  const { simultaneous, ...plain } = flow;
  if (simultaneous) yield plain;
  if (flow.startUs > 0) yield { ...flow, startUs: 0 };
  const [opener, other] = flow.ends;
  for (const end of simplerEnd(opener)) yield { ...flow, ends: [end, other] };
  for (const end of simplerEnd(other)) yield { ...flow, ends: [opener, end] };
  if (flow.from === 'b') yield { ...flow, from: 'a' };
}

function* simplerEnd(end: EndSpec): Generator<EndSpec> {
  const { finish, finishUs, ...rest } = end;
  if (finish !== undefined) yield rest;
  for (const bytes of smaller(end.bytes)) yield { ...end, bytes };
  for (const key of ['early', 'burst', 'writePauseUs', 'writeBytes', 'readPauseUs', 'readBytes'] as const) {
    yield* dropped(end, key);
  }
  for (const key of ['readAfterUs', 'peek', 'logRecords'] as const) yield* dropped(end, key);
  for (const key of Object.keys(end.tcp) as (keyof EndSpec['tcp'])[]) {
    for (const tcp of dropped(end.tcp, key)) yield { ...end, tcp };
    const value = end.tcp[key];
    if (typeof value === 'number')
      for (const less of rounder(value)) yield { ...end, tcp: { ...end.tcp, [key]: less } };
  }
  for (const key of ['writePauseUs', 'writeBytes', 'readPauseUs', 'readBytes', 'readAfterUs', 'finishUs'] as const) {
    const value = end[key];
    if (value !== undefined) for (const less of rounder(value)) yield { ...end, [key]: less };
  }
}

function* simplerDisturbance(disturbance: Disturbance): Generator<Disturbance> {
  const { fromUs, untilUs, impair } = disturbance;
  if (disturbance.way === 'both') {
    yield { ...disturbance, way: 'forth' };
    yield { ...disturbance, way: 'back' };
  }
  if (fromUs > 0) yield { ...disturbance, fromUs: 0 };
  const half = fromUs + Math.ceil((untilUs - fromUs) / 2);
  if (half < untilUs) yield { ...disturbance, untilUs: half };
  for (const less of rounder(untilUs)) if (less > fromUs) yield { ...disturbance, untilUs: less };
  for (const simple of simplerLink(impair)) {
    if (Object.keys(simple).length > 0) yield { ...disturbance, impair: simple };
  }
}

function* simplerLink(link: ImpairmentOptions): Generator<ImpairmentOptions> {
  for (const key of Object.keys(link) as (keyof ImpairmentOptions)[]) {
    yield* dropped(link, key);
    const value = link[key];
    if (typeof value === 'number') for (const less of rounder(value)) yield { ...link, [key]: less };
  }
}

function* without<T>(list: readonly T[]): Generator<T[]> {
  for (let i = list.length - 1; i >= 0; i--) yield [...list.slice(0, i), ...list.slice(i + 1)];
}

function* each<T>(list: readonly T[], simplify: (item: T) => Iterable<T>): Generator<T[]> {
  for (const [i, item] of list.entries()) {
    for (const simple of simplify(item)) yield [...list.slice(0, i), simple, ...list.slice(i + 1)];
  }
}

function* dropped<T extends object>(from: T, key: keyof T): Generator<T> {
  if (from[key] === undefined) return;
  const copy = { ...from };
  delete copy[key];
  yield copy;
}

function* smaller(value: number): Generator<number> {
  if (value > 0) yield 0;
  if (value > 1) yield 1;
  if (value > 3) yield value >>> 1;
  if (value > 3) yield value - (value >>> 3 || 1);
}

/** The next number with one significant digit below. */
function* rounder(value: number): Generator<number> {
  const round = Number(value.toPrecision(1));
  if (round !== value) yield round;
}
