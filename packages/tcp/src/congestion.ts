import type { CongestionName } from './config.ts';
import type { CongestionControl } from './congestion-control.ts';
import { Cubic } from './cubic.ts';
import { NewReno } from './newreno.ts';
import { Unlimited } from './unlimited.ts';

/** @returns a fresh instance of the named algorithm. */
export function createCongestionControl(name: CongestionName): CongestionControl {
  switch (name) {
    case 'newreno':
      return new NewReno();
    case 'none':
      return new Unlimited();
    default:
      return new Cubic();
  }
}
