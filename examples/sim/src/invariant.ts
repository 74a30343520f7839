/** What every run must keep; the README says more. */
export type Invariant = 'exact' | 'reported' | 'progress' | 'storm' | 'memory' | 'left' | 'audit' | 'crash';

/** Ends a run that has broken an invariant. */
export class Broken extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, message: string) {
    super(message);
    this.invariant = invariant;
  }
}
