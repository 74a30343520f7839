import { frameBound } from './bounds.ts';
import { type Fault, plant } from './faults.ts';
import { Broken, type Invariant } from './invariant.ts';
import type { Scenario } from './scenario.ts';
import { Simulation, type Wrap } from './simulation.ts';

/** What was broken, and when. */
export interface Failure {
  readonly invariant: Invariant;
  readonly message: string;
  readonly atUs: number;
}

export interface Outcome {
  readonly failure?: Failure;
  /** Virtual microseconds until the last connection was gone. */
  readonly virtualUs: number;
  /** Frames that the hosts sent. */
  readonly frames: number;
  /** Bytes that applications read. */
  readonly bytes: number;
  /** Of all ends of flows, those that read the other's whole stream. */
  readonly ends: number;
  readonly complete: number;
  /** What applications were told, how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** Frames over what is allowed: near 1 is near a storm. */
  readonly frameRatio: number;
}

export interface SimulateOptions {
  readonly fault?: Fault;
  readonly wrap?: Wrap;
  /** Sees the run before it begins. */
  readonly prepare?: (simulation: Simulation) => void;
}

/** Runs a scenario to its end, or to the first invariant that it breaks. The same scenario has the same outcome. */
export function simulate(scenario: Scenario, options: SimulateOptions = {}): Outcome {
  const simulation = new Simulation(scenario, options.wrap);
  if (options.fault !== undefined) plant(options.fault, simulation);
  options.prepare?.(simulation);
  let failure: Failure | undefined;
  try {
    simulation.run();
  } catch (error) {
    const atUs = simulation.time.clock.now();
    if (error instanceof Broken) failure = { invariant: error.invariant, message: error.message, atUs };
    else
      failure = {
        invariant: 'crash',
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
        atUs,
      };
  }
  const { applications, frames, bytes } = simulation;
  const virtualUs = simulation.time.clock.now();
  const errors: Record<string, number> = {};
  for (const { error } of applications) if (error !== undefined) errors[error] = (errors[error] ?? 0) + 1;
  return {
    ...(failure === undefined ? {} : { failure }),
    virtualUs,
    frames,
    bytes,
    ends: applications.length,
    complete: applications.filter((application) => application.ended).length,
    errors,
    frameRatio: frames / frameBound(scenario, virtualUs),
  };
}
